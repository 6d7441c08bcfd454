package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "write it with -rewrite and look at it")
	require.Equal(t, string(want), text)
}

func madeUp(scenario string) *Result {
	return &Result{
		Version: Version, Scenario: scenario, Date: time.Date(2026, 3, 1, 12, 30, 5, 0, time.UTC),
		Commit: "0123456789abcdef0123456789abcdef01234567", Dirty: true,
		Machine:  Machine{Cores: 2, CPU: "Made-up CPU @ 2.50GHz", MemoryBytes: 8 << 30, Kernel: "6.1.0", Go: "go1.26.0"},
		Settings: map[string]string{"records": "4000000", "job": "processor.workers=4 <b>"},
	}
}

// throughput has three rounds of three kinds, one of which does not count.
func throughput() *Result {
	r := madeUp("throughput")
	r.Notes = []string{"The peer does a reduced job."}
	r.Metrics = []Metric{
		{Name: "rate", Unit: "events/s", Better: Higher, Drifts: true},
		{Name: "CPU", Unit: "s/million", Better: Lower, Headline: true, Drifts: true},
		{Name: "peak RSS", Unit: "MiB", Better: Lower},
		{Name: "stolen", Unit: "cores", Better: Neither},
		{Name: "not measured", Better: Lower},
	}
	add := func(round int, kind string, rate, cpu, rss float64) {
		r.Samples = append(r.Samples, Sample{Kind: kind, Round: round,
			Values: map[string]float64{"rate": rate, "CPU": cpu, "peak RSS": rss, "stolen": 0.01 * float64(round)}})
	}
	add(0, "job", 348_000, 4.6, 512)
	add(0, Bare, 428_000, 4, 300.5)
	add(0, "streams", 88_000, 19.25, 1900)
	add(1, "job", 289_000, 5.9, 530)
	add(1, Bare, 329_000, 5.3, 301)
	add(1, "streams", 64_000, 21.6, 1910)
	add(2, "job", 482_000, 3.5, 498)
	add(2, Bare, 510_000, 3.4, 299)
	add(2, "streams", 9_000, 120, 1905)
	r.Samples[8].Void = "below 0.22 of the bare loop"
	return r
}

// latency has percentiles along a parameter.
func latency() *Result {
	r := madeUp("latency")
	r.Dirty, r.Commit = false, ""
	r.Parameter = &Axis{Name: "rate", Unit: "events/s"}
	r.Latency = &Axis{Name: "event to alert", Unit: "ms"}
	r.Metrics = []Metric{{Name: "CPU", Unit: "s/million", Better: Lower, Headline: true, Drifts: true}}
	for round := range 2 {
		for i, at := range []float64{10_000, 20_000, 40_000} {
			for k, kind := range []string{"job", "streams"} {
				v := float64(60+10*i+30*k) + float64(round)*4
				r.Samples = append(r.Samples, Sample{Kind: kind, Round: round, At: &at, Values: map[string]float64{"CPU": v / 10},
					Tail: []Percentile{{50, v}, {90, v * 1.3}, {99, v * 1.7}, {99.9, v * 2}, {100, v * (2.5 + float64(20*k*i))}}})
			}
		}
	}
	return r
}

func TestGolden(t *testing.T) {
	for _, r := range []*Result{throughput(), latency()} {
		t.Run(r.Scenario, func(t *testing.T) {
			golden(t, r.Scenario+".txt", Text(r))
			var page, text bytes.Buffer
			require.NoError(t, HTML(&page, r))
			golden(t, r.Scenario+".html", page.String())
			require.NoError(t, Write(&text, r))
			golden(t, r.Scenario+".json", text.String())
			again, err := Read(&text)
			require.NoError(t, err)
			require.Equal(t, r, again)
		})
	}
}

// The page fetches nothing, runs nothing, shows text as text, and its tags are balanced.
func TestPageIsSelfContained(t *testing.T) {
	r := throughput()
	r.Samples[0].Kind = `<script>"&`
	var b bytes.Buffer
	require.NoError(t, HTML(&b, r))
	page := b.String()
	for _, not := range []string{"<script", "http:", "https:", "src=", "<link", "url(", "ZgotmplZ", "NaN"} {
		require.NotContains(t, page, not)
	}
	require.Contains(t, page, "&lt;script&gt;")
	d := xml.NewDecoder(strings.NewReader(page[strings.Index(page, "<body>"):strings.Index(page, "</html>")]))
	d.Entity = xml.HTMLEntity
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
	}
}

func TestNothingMeasured(t *testing.T) {
	r := madeUp("empty")
	require.Contains(t, Text(r), "round")
	require.NoError(t, HTML(io.Discard, r))
}

func TestReadRefuses(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Write(&b, throughput()))
	good := b.String()
	for name, c := range map[string]struct{ old, new, message string }{
		"version":   {`"version": 1`, `"version": 2`, "version 2, and this program knows version 1 only"},
		"none":      {`"version": 1,`, ``, "version 0, and this program"},
		"field":     {`"dirty"`, `"dirtier"`, `unknown field "dirtier"`},
		"commit":    {`"01234567`, `"../34567`, "hexadecimal"},
		"scenario":  {`"throughput"`, `"../up"`, "lower-case letters"},
		"metric":    {`"stolen": 0.01`, `"stolem": 0.01`, `sample 3: value "stolem": no such metric`},
		"figure":    {`"rate": 348000`, `"rate": 1e300`, "value rate: 1e+300 is no figure"},
		"better":    {`"neither"`, `"both"`, `metric stolen: better "both"`},
		"escape":    {`"streams"`, `"\u001b[2J"`, "printable"},
		"text":      {`{`, `[`, "read result"},
		"parameter": {`"round": 0`, `"round": 0, "at": 3`, "only of a result with a parameter"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, good, c.old)
			_, err := Read(strings.NewReader(strings.Replace(good, c.old, c.new, 1)))
			require.ErrorContains(t, err, c.message)
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, r := range []*Result{throughput(), latency()} {
		var b bytes.Buffer
		require.NoError(f, Write(&b, r))
		f.Add(b.String())
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		Text(r)
		require.NoError(t, HTML(io.Discard, r))
		if c, err := Compare(r, r); err == nil {
			for _, change := range c.Changes {
				require.GreaterOrEqual(t, change.P, noise)
			}
		}
	})
}

func TestSaveAndLoad(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "results")
	r := throughput()
	paths, err := Save(folder, r)
	require.NoError(t, err)
	base := filepath.Join(folder, "throughput-20260301T123005Z-01234567")
	require.Equal(t, []string{base + ".json", base + ".html"}, paths)
	again, err := Load(paths[0])
	require.NoError(t, err)
	require.Equal(t, r, again)
	_, err = Save(folder, r)
	require.ErrorIs(t, err, os.ErrExist)
}

func TestReadMachine(t *testing.T) {
	m := ReadMachine(fstest.MapFS{
		"cpuinfo":              {Data: []byte("processor\t: 0\nmodel name\t: Made  up\nmodel name\t: other\n")},
		"meminfo":              {Data: []byte("MemTotal:        1024 kB\nMemFree: 1 kB\n")},
		"sys/kernel/osrelease": {Data: []byte("6.1.0\n")},
	})
	require.Equal(t, "Made up", m.CPU)
	require.EqualValues(t, 1<<20, m.MemoryBytes)
	require.Equal(t, "6.1.0", m.Kernel)
	require.Positive(t, m.Cores)
	require.Empty(t, ReadMachine(fstest.MapFS{}).CPU)
}

// Plots of any figures have ticks, and not too many.
func TestScales(t *testing.T) {
	values := []float64{-1e15, -3, 0, 5e-324, 1e-300, 1e-9, 1e-8, 0.3, 1, 7, 31, 999, 1e15}
	for _, low := range values {
		for _, high := range values {
			if low > high {
				continue
			}
			for _, s := range []scale{linear(low, high, 0, 100), wide(low, high, 0, 100)} {
				require.LessOrEqual(t, len(s.ticks()), 30, s)
				require.NotEmpty(t, s.ticks(), s)
				require.True(t, s.at(low) >= 0 && s.at(low) <= s.at(high) && s.at(high) <= 100, s)
			}
		}
	}
}

func TestSpread(t *testing.T) {
	require.Equal(t, Spread{3, 2, 1, 9}, SpreadOf([]float64{9, 1, 2}))
	require.Equal(t, Spread{2, 1.5, 1, 2}, SpreadOf([]float64{2, 1}))
	require.Equal(t, Spread{}, SpreadOf(nil))
	require.Equal(t, "1.500 (1–2)", SpreadOf([]float64{2, 1}).String())
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 7: "7", 0.5: "0.500", 0.00123: "0.0012", 19.254: "19.25", 150.25: "150.2",
		999: "999", 1234.5: "1,234", 1234567: "1,234,567", -1234567: "-1,234,567", -123456: "-123,456", -1.5: "-1.500"} {
		require.Equal(t, want, number(v))
	}
}
