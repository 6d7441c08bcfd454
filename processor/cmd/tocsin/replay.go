package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"tocsin/processor/app"
)

type replayCommand struct {
	Topic     string  `help:"Topic to judge. Default: topics.input." placeholder:"NAME"`
	From      string  `help:"Where to begin: beginning, an offset, or a time (RFC 3339)." default:"beginning"`
	To        string  `help:"Where to end, exclusive: end, an offset, or a time." default:"end"`
	Partition []int32 `help:"Only these partitions. Default: all." placeholder:"LIST"`
	Out       string  `help:"File for the alerts, one JSON object per line; - is standard output." placeholder:"FILE"`
	Dir       string  `help:"Keep the state here, an empty folder. Default: a temporary one, removed." placeholder:"DIR"`
}

// Run replays, and lists what was found by partition with the digest of the state. With the alerts on standard output
// the list goes to standard error.
func (c replayCommand) Run(ctx context.Context, env *environment) (err error) {
	l, err := env.load()
	if err != nil {
		return err
	}
	bar := env.progress()
	o := app.ReplayOptions{
		Topic: c.Topic, From: c.From, To: c.To, Partitions: c.Partition, Dir: c.Dir, Now: env.now,
		Progress: func(done, total int64) { bar.at("replaying", done, total, "records") },
	}
	summary := *env
	switch c.Out {
	case "":
	case "-":
		o.Alerts, summary.stdout = env.stdout, env.stderr
	default:
		f, err := os.OpenFile(c.Out, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return app.Usagef("--out: %w", err)
		}
		defer func() {
			if closeErr := f.Close(); err == nil && closeErr != nil {
				err = fmt.Errorf("write %s: %w", c.Out, closeErr)
			}
		}()
		o.Alerts = io.Writer(f)
	}
	result, err := app.Replay(ctx, l, o)
	bar.end()
	if err != nil {
		return err
	}
	out := summary.list("partition", "from", "to", "records", "accepted", "duplicates", "dead_letters", "ticks", "alerts",
		"record_time", "keys", "digest")
	for _, p := range result.Partitions {
		dead := p.Counts.Total() - p.Counts.Judged - p.Counts.Duplicates - p.Counts.Ticks
		out.row(p.Partition, p.From, p.To, p.Records, p.Counts.Judged, p.Counts.Duplicates, dead, p.Counts.Ticks, p.Alerts,
			stamp(time.Unix(0, p.RecordTime)), p.Digest.Keys, hex.EncodeToString(p.Digest.Hash[:]))
	}
	return errors.Join(err, out.end())
}
