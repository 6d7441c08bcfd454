package simulate

import (
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSeeds(t *testing.T) {
	n := 20
	if s := os.Getenv("TOCSIN_SEEDS"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	first := 0
	if s := os.Getenv("TOCSIN_SEED"); s != "" {
		first, _ = strconv.Atoi(s)
		n = 1
	}
	for seed := first; seed < first+n; seed++ {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			began := time.Now()
			var r *Result
			var err error
			synctest.Test(t, func(*testing.T) { r, err = Run(NewPlan(uint64(seed))) })
			t.Logf("%s took %s, virtual %s, crashes %d restores %d alerts %d", r.Plan, time.Since(began), r.Virtual, r.Crashes, r.Restores, r.Alerts)
			if len(r.Violations) > 0 || err != nil {
				f, _ := os.Create("/tmp/sim-" + strconv.Itoa(seed) + ".txt")
				f.WriteString(r.Plan.String())
				r.History.WriteTo(f)
				f.Close()
			}
			for _, v := range r.Violations {
				t.Error(v)
			}
			require.NoError(t, err)
		})
	}
}
