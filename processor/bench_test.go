package processor

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/engine"
	"tocsin/topics"
)

// BenchmarkOutput is making the records of a transaction: 1,000 changelog records of 350 bytes, 10 alerts of 1,500 and a
// seal. The client refuses them at once, for it has no transaction, which is an allocation for each.
func BenchmarkOutput(b *testing.B) {
	const changes, alerts = 1000, 10
	cl, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:1"), kgo.TransactionalID("bench"))
	require.NoError(b, err)
	defer cl.Close()
	s := &session{cl: cl}
	s.produced.reset()
	s.promise = func(*kgo.Record, error) {}
	o := output{session: s, topics: Topics{Alerts: "alerts", Changelog: "changelog"}}
	var keys [changes][]byte
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "organization/principal-%06d", i)
	}
	value, alert := make([]byte, 350), make([]byte, 1500)
	seal := topics.Seal{Partitions: 8}
	b.ReportAllocs()
	for b.Loop() {
		o.reset()
		for range alerts {
			o.fx.Alerts = append(o.fx.Alerts, engine.AlertEffect{ID: "0123456789abcdef0123456789abcdef", Value: alert})
		}
		o.emit(b.Context(), 1, nil)
		for i := range keys {
			o.change(b.Context(), 1, keys[i], value)
		}
		o.seal(b.Context(), &seal)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*(changes+alerts+1)), "ns/record")
}
