package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/bench/report"
	"tocsin/bench/throughput"
)

func TestResultOfAPeer(t *testing.T) {
	run := func(round int, kind string, rate, cpu float64) throughput.Sample {
		second := time.Duration(1000 / rate * float64(time.Second))
		used := time.Duration(cpu * float64(time.Second))
		return throughput.Sample{Kind: kind, Round: round, Events: 2000, Total: 3 * second, CPU: 2 * used, PeakRSS: 1 << 20,
			Half: throughput.Reading{Events: 1000, At: second}, End: throughput.Reading{Events: 2000, At: 2 * second, CPU: used}}
	}
	samples := []throughput.Sample{
		run(0, "job", 300, 2), run(0, "bare", 400, 1), run(0, "streams", 100, 8),
		run(1, "job", 300, 2), run(1, "bare", 400, 1), run(1, "streams", 80, 8),
	}
	o := options{peer: throughput.Streams, kafka: "real", bin: "some/tocsin", set: []string{"a.b=c"},
		peerSet: []string{"sasl.jaas.config=hidden"}, began: time.Unix(0, 0)}
	r := o.result(samples)
	require.NoError(t, r.Validate())
	for i := range r.Samples {
		require.Equal(t, i == 5, r.Samples[i].Void != "", i)
	}
	text := report.Text(r)
	require.Contains(t, text, "  void: below 0.22 of the bare loop\n")
	require.Contains(t, text, "1 of 2 runs of streams count\n")
	require.Contains(t, text, "reduced job")
	require.Contains(t, text, "set:a.b=c")
	require.Contains(t, text, "bin=tocsin")
	require.NotContains(t, text, "hidden")
	require.Regexp(t, `(?m)^warm rate, events/s .* 0.750 \(0.750–0.750\) +3 +4$`, text)
	require.NotContains(t, text, "broker", "not measured")
	require.NotContains(t, report.Text((&options{began: o.began}).result(samples[:2])), "streams")
}

func TestCompareFirings(t *testing.T) {
	a, b := firing{"r", "o", "principal", "x"}, firing{"r", "", "ip", "10.0.0.1"}
	require.NoError(t, compareFirings("job", map[firing]bool{a: true}, map[firing]bool{a: true}))
	err := compareFirings("job", map[firing]bool{a: true}, map[firing]bool{b: true})
	require.ErrorContains(t, err, `missing: r "o" principal "x"`)
	require.ErrorContains(t, err, `unexpected: r "" ip "10.0.0.1"`)
}
