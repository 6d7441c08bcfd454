package sink

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkStore measures alerts per second from the topic into Postgres, with history, outbox and the queue of
// evidence, five events each; nothing is copied meanwhile. Run with -benchtime 50000x.
func BenchmarkStore(b *testing.B) {
	for _, events := range []int{0, 5, 20} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			e := newEnv(b)
			e.fill(b.N, events)
			cfg := e.config()
			cfg.MaxBatch, cfg.Probe = DefaultMaxBatch, func(step Point) error {
				if step == PointTaken {
					return errNotNow
				}
				return nil
			}
			cfg.RetryMax = time.Second
			b.ResetTimer()
			s := e.start(cfg)
			e.stored()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
			s.end()
		})
	}
}

// BenchmarkCopy measures evidence records per second from the input topic into Postgres.
func BenchmarkCopy(b *testing.B) {
	e := newEnv(b)
	e.fill(b.N/5+1, 5)
	cfg := e.config()
	cfg.MaxBatch = DefaultMaxBatch
	s := e.start(cfg)
	e.stored()
	b.ResetTimer()
	e.settled()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	s.end()
}

var errNotNow = fmt.Errorf("not now")

// fill produces n alerts with their events.
func (e *env) fill(n, events int) {
	e.t.Helper()
	first := e.event("e-0")
	var records []*kgo.Record
	flush := func() {
		e.produce(records...)
		records = records[:0]
	}
	value := fmt.Appendf(nil, `{"timestamp":%q,"action":"auth.login.failure","status":"failure","pad":"%0600d"}`,
		base.Format(time.RFC3339Nano), 0)
	for i := range n {
		a := newAlert(i, 1)
		for j := range events {
			ev := first
			ev.ID, ev.Offset = "", first.Offset+1+int64(i*events+j)
			a.Evidence = append(a.Evidence, ev)
			records = append(records, &kgo.Record{Topic: eventsTopic, Partition: 1, Value: value})
		}
		records = append(records, record(e.t, a))
		if len(records) > 10_000 {
			flush()
		}
	}
	flush()
}
