package window_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"tocsin/state/window"
	"tocsin/topics"
)

// TestScripts runs the stories in testdata: what one key's windows do, event by event. Times are seconds since the start
// of the story, "t@r" is event time t in a record of record time r. Every command is followed by a reload, so that the
// stories hold for the encoded state too.
//
//	rule id=name n=N w=duration cooldown=duration max=duration matcher=M   (another matcher: the same events not shared)
//	accept [rules=name,name]      lines "t@r" or "t": one event each; prints the revisions
//	fire at=R                     fires the timers due before record time R
//	show                          prints the head: clock, entries, episodes
func TestScripts(t *testing.T) {
	t.Parallel()
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		t.Helper()
		if strings.Contains(path, "fuzz") || strings.Contains(path, "golden") || strings.Contains(path, "rapid") {
			t.Skip("a corpus, no story")
		}
		s := &story{store: store{parts: map[string]string{}}, grace: 900}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			t.Helper()
			out := s.run(t, d)
			s.save(t, &s.k, s.groupKey(), s.grace*sec)
			s.k = window.Key{}
			require.NoError(t, s.k.Load(s.groupKey(), &s.store))
			return out
		})
	})
}

const sec = int64(time.Second)

type story struct {
	store
	k      window.Key
	rules  []*window.Rule
	grace  int64
	offset int64
}

func (s *story) groupKey() []byte {
	return topics.AppendGroupKey(nil, topics.SpacePrincipal, nil, []byte("p"))
}

func (s *story) run(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	var out []string
	switch d.Cmd {
	case "rule":
		r := &window.Rule{ID: arg(t, d, "id", ""), Version: [8]byte{byte(len(s.rules))}, Kind: "count"}
		_, err := fmt.Sscan(arg(t, d, "n", "1"), &r.Threshold)
		require.NoError(t, err)
		_, err = fmt.Sscan(arg(t, d, "matcher", "1"), &r.Matcher)
		require.NoError(t, err)
		r.Window, r.Cooldown, r.MaxEpisode = span(t, d, "w", "1ns"), span(t, d, "cooldown", "0s"), span(t, d, "max", "24h")
		s.rules = append(s.rules, r)
	case "accept":
		for line := range strings.Lines(d.Input) {
			out = append(out, s.accept(t, d, strings.TrimSpace(line))...)
		}
	case "fire":
		at := span(t, d, "at", "0s")
		for due := s.k.Due(s.grace * sec); due != 0 && due < at; due = s.k.Due(s.grace * sec) {
			for _, line := range s.describe(s.k.Fire(due, s.grace*sec, at)) {
				out = append(out, fmt.Sprintf("%ds: %s", due/sec, line))
			}
		}
	case "show":
		clock, _ := s.k.Clock()
		out = append(out, fmt.Sprintf("clock %ds, %d entries, %d parts, due %ds", clock/sec, s.k.Len(), len(s.parts), s.k.Due(s.grace*sec)/sec))
	default:
		t.Fatalf("unknown command %q", d.Cmd)
	}
	if len(out) == 0 {
		return ""
	}
	return strings.Join(out, "\n") + "\n"
}

func (s *story) accept(t *testing.T, d *datadriven.TestData, line string) []string {
	t.Helper()
	var et, rt int64
	if n, _ := fmt.Sscanf(line, "%d@%d", &et, &rt); n < 2 {
		rt = et
	}
	if s.k.Late(et*sec, s.grace*sec) {
		return []string{line + ": late"}
	}
	var rules []*window.Rule
	for _, r := range s.rules {
		if names := arg(t, d, "rules", ""); names == "" || strings.Contains(","+names+",", ","+r.ID+",") {
			rules = append(rules, r)
		}
	}
	e := window.Entry{Time: et * sec, Offset: s.offset, Outcome: topics.OutcomeVerified}
	s.offset++
	ems, err := s.k.Accept(&e, rules, rt*sec, s.grace*sec, [16]byte{}, newID)
	require.NoError(t, err)
	var out []string
	for _, l := range s.describe(ems) {
		out = append(out, line+": "+l)
	}
	return out
}

func (s *story) describe(ems []window.Emission) (out []string) {
	for _, em := range ems {
		e := em.Episode
		line := fmt.Sprintf("%s/%d #%d %s count=%d span=%d..%d", e.Rule, e.Crossing/sec, e.Revision, em.State, e.Count, e.First/sec, e.Last/sec)
		if em.State == topics.StateMerged {
			line += fmt.Sprintf(" into %x", em.MergedInto[12:])
		}
		out = append(out, line)
	}
	return out
}

func arg(t *testing.T, d *datadriven.TestData, name, value string) string {
	t.Helper()
	for _, a := range d.CmdArgs {
		if a.Key == name {
			return strings.Join(a.Vals, ",")
		}
	}
	return value
}

func span(t *testing.T, d *datadriven.TestData, name, value string) int64 {
	t.Helper()
	v, err := time.ParseDuration(arg(t, d, name, value))
	require.NoError(t, err)
	return int64(v)
}
