package detect

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzCompile sets all that is text or a number in the rules to anything: it is refused, or rules come of it that can
// be asked at any time, and that get the same version again.
func FuzzCompile(f *testing.F) {
	f.Add("Europe/Berlin", "22:00", "06:00", "mon", "2026-12-25", "svc-*", int64(5), int64(300), int64(0))
	f.Add("", "24:00", "0:00", "SUN", "", "*", int64(1), int64(0), int64(-1))
	f.Add("../../etc/passwd", "-1:00", "+5:00", "", "2026-02-30", "**", int64(-1), int64(1<<62), int64(1<<62))
	f.Fuzz(func(t *testing.T, zone, from, to, day, holiday, except string, threshold, window, cooldown int64) {
		c := Default()
		hours := Hours{Zone: zone, From: from, To: to}
		if day != "" {
			hours.Days = []string{day}
		}
		if holiday != "" {
			hours.Holidays = []string{holiday}
		}
		w, cool := time.Duration(window), time.Duration(cooldown)
		c.Organizations = map[string]Organization{"o": {Hours: hours, Rules: map[string]Settings{
			"failed-auth-burst": {Threshold: &threshold, Window: &w, Cooldown: &cool, Except: []string{except}},
		}}}
		rules, err := Compile(c)
		if err != nil {
			require.Nil(t, rules)
			return
		}
		again, err := Compile(c)
		require.NoError(t, err)
		require.Equal(t, rules.Hash(), again.Hash())
		r := rules.For([]byte("o")).Find("failed-auth-burst")
		require.NotNil(t, r)
		require.Positive(t, r.Threshold)
		require.Positive(t, r.Rule.Window)
		require.GreaterOrEqual(t, r.Cooldown, int64(0))
	})
}
