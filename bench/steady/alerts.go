package steady

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/bench/generate"
	"tocsin/bench/run"
)

// watch reads the alerts topic, committed records only, until ctx ends, and hands over the alerts of probes with the
// time at which the client gave them out.
func watch(ctx context.Context, brokers []string, topic string, found func(probe int, at time.Time) error) error {
	cl, err := kgo.NewClient(append(run.Reach(brokers), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return fmt.Errorf("read %s: %w", topic, err)
	}
	defer cl.Close()
	for {
		fetches := cl.PollFetches(ctx)
		at := time.Now()
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			probe, ok, err := probeOf(r.Value)
			if err == nil && ok {
				err = found(probe, at)
			}
			if err != nil {
				return fmt.Errorf("read %s: partition %d offset %d: %w", topic, r.Partition, r.Offset, err)
			}
		}
	}
}

// probeMark is in the alert of every probe: its principal. Most alerts are spared the parsing by it.
var probeMark = []byte(`"probe-`)

// probeOf is the probe that the first revision of an alert is about, if it is about one. The peer's alerts have no
// revisions.
func probeOf(value []byte) (n int, ok bool, err error) {
	if !bytes.Contains(value, probeMark) {
		return 0, false, nil
	}
	var alert struct {
		Revision int `json:"revision"`
		Rule     struct {
			ID string `json:"id"`
		} `json:"rule"`
		Group map[string]string `json:"group"`
	}
	if err := json.Unmarshal(value, &alert); err != nil {
		return 0, false, err
	}
	n, ok = generate.ProbeNumber(alert.Group["principal"])
	if !ok || alert.Revision > 1 {
		return 0, false, nil
	}
	if alert.Rule.ID != probeRule {
		return 0, false, fmt.Errorf("an alert of %s for probe %d, which trips %s alone", alert.Rule.ID, n, probeRule)
	}
	return n, true, nil
}

// probeRule is the rule that probes trip.
const probeRule = "unauthorized-access"
