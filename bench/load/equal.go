package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/bench/collect"
	"tocsin/bench/generate"
	"tocsin/bench/run"
	"tocsin/bench/throughput"
	"tocsin/processor/processortest/oracle"
)

// equalRecords bounds the topic on which job and peer are compared.
const equalRecords = 500_000

// firing is a rule and a key for which there is at least one alert.
type firing struct{ rule, organization, groupBy, value string }

func (f firing) String() string {
	return fmt.Sprintf("%s %q %s %q", f.rule, f.organization, f.groupBy, f.value)
}

// equal runs the job and the peer over a topic of its own and compares which keys fire, with each other and with the
// oracle. In that topic nothing comes twice, late, in the future, malformed or with a wrong hash, which the peer does
// not look at or does not make alerts of; the order is the producers' own, up to a second and a half off.
func (o *options) equal(ctx context.Context, s throughput.Settings) error {
	cfg := generate.Default(min(o.records, equalRecords))
	cfg.Seed, cfg.Principals = o.seed, int64(o.principals)
	cfg.Duplicates, cfg.Disorder, cfg.Late, cfg.Future, cfg.Ahead, cfg.Malformed = 0, 0, 0, 0, 0, 0
	cfg.Conflicts, cfg.Tampered, cfg.Forged, cfg.Unverified, cfg.Downgrades = 0, 0, 0, 0, 0
	g, err := generate.New(cfg)
	if err != nil {
		return err
	}
	app := s.App
	s.Input = app + "-events"
	in := &throughput.Input{Brokers: s.Brokers, Topic: s.Input, Stream: g, Partitions: o.partitions, Ticks: true,
		Progress: os.Stderr}
	defer in.Delete(ctx)
	if err := in.Fill(ctx, g.Records()); err != nil {
		return err
	}
	want, err := expectedFirings(g, int32(o.partitions))
	if err != nil {
		return err
	}
	var differences []error
	for _, kind := range []string{throughput.Job, throughput.Streams} {
		s.Kind, s.App = kind, app+"-"+kind
		if _, err := o.one(ctx, g, s); err != nil {
			return err
		}
		got, err := firings(ctx, s)
		if err != nil {
			return err
		}
		differences = append(differences, compareFirings(kind, want, got))
	}
	if err := errors.Join(differences...); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "equal: the same %d rules and keys fire by the job, by Kafka Streams and by the oracle "+
		"(%d events)\n", len(want), g.Records())
	return nil
}

func expectedFirings(g *generate.Generator, partitions int32) (map[firing]bool, error) {
	x, err := g.Expect(g.Records(), partitions, true)
	if err != nil {
		return nil, err
	}
	found := map[firing]bool{}
	for _, revisions := range x.Revisions {
		for i := range revisions {
			key := revisions[i].Key
			f := firing{revisions[i].Rule, key.Org, "unknown", key.Value}
			switch key.Space {
			case oracle.SpacePrincipal:
				f.groupBy = "principal"
			case oracle.SpaceIP:
				f.groupBy = "ip"
			}
			found[f] = true
		}
	}
	return found, nil
}

// firings reads an alerts topic: both programs write rule, organization and group alike.
func firings(ctx context.Context, s throughput.Settings) (map[firing]bool, error) {
	found := map[firing]bool{}
	err := collect.Records(ctx, run.Reach(s.Brokers), s.Processor().Alerts(), func(r *kgo.Record) error {
		var alert struct {
			Rule struct {
				ID string `json:"id"`
			} `json:"rule"`
			Organization string            `json:"organization"`
			Group        map[string]string `json:"group"`
		}
		if err := json.Unmarshal(r.Value, &alert); err != nil {
			return err
		}
		for groupBy, value := range alert.Group {
			found[firing{alert.Rule.ID, alert.Organization, groupBy, value}] = true
		}
		return nil
	})
	return found, err
}

func compareFirings(kind string, want, got map[firing]bool) error {
	const shown = 20
	var lines []string
	differ := func(what string, a, b map[firing]bool) {
		for f := range maps.Keys(a) {
			if !b[f] {
				lines = append(lines, what+f.String())
			}
		}
	}
	differ("missing: ", want, got)
	differ("unexpected: ", got, want)
	if len(lines) == 0 {
		return nil
	}
	slices.Sort(lines)
	n := len(lines)
	return fmt.Errorf("%s: %d of %d rules and keys differ from the oracle:\n%s", kind, n, len(want),
		strings.Join(lines[:min(n, shown)], "\n"))
}
