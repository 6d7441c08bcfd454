package app

import (
	"context"
	"fmt"
	"io"
	"time"

	"tocsin/processor/detect"
	"tocsin/processor/ingest"
	"tocsin/processor/verify"
	"tocsin/topics"
)

// IngestOptions of [Ingest].
type IngestOptions struct {
	Paths     []string // files, folders, "-" for Stdin
	Stdin     io.Reader
	Format    string // auto, jsonl, cloudtrail
	FileOrder bool
	Historic  bool
	Sign      bool // with verify.hmac_secret, if there is one
	SortBytes Size // 0: the default
	TempDir   string
	Wait      time.Duration // how long to wait for the verdicts; 0: not at all
	Now       func() time.Time
	// Progress is told how far the run has come; nil for never.
	Progress func(phase string, done, total int64)
}

// IngestReport is what came of it.
type IngestReport struct {
	*ingest.Result
	Verdicts *ingest.Verdicts // nil: not known, see Unknown
	Unknown  string           // why the verdicts are not known
}

// Ingest writes events from files to the input topic and, if asked to, waits for the processor's verdicts on them. With
// an error the report, if there is one, says how far it came.
func Ingest(ctx context.Context, cfg *Loaded, o IngestOptions) (_ *IngestReport, err error) {
	defer func() { err = cfg.named(ctx, err, topics.DutyIngest, topics.DutyVerdicts) }()
	files, err := ingest.List(o.Paths)
	if err != nil {
		return nil, Usage(err)
	}
	key, err := topics.ParseKeyTemplate(cfg.Input.Key)
	if err != nil {
		return nil, Usage(err)
	}
	info, err := describeInput(ctx, &cfg.Config)
	if err != nil {
		return nil, err
	}
	run := ingest.Config{
		Options: ingest.Options{
			FileOrder: o.FileOrder, SortBytes: int64(o.SortBytes), TempDir: o.TempDir,
			MaxLineBytes: ingest.DefaultMaxLineBytes, Format: ingest.Format(o.Format), Now: o.Now,
		},
		Topic: cfg.Topics.Input, Info: info, Key: key, Historic: o.Historic,
	}
	if run.SortBytes == 0 {
		run.SortBytes = ingest.DefaultSortBytes
	}
	if o.Historic {
		if err := info.CheckHistoric(cfg.Topics.Input, cfg.Input.Ticks); err != nil {
			return nil, Usage(err)
		}
		rules, err := detect.Compile(cfg.Detect())
		if err != nil {
			return nil, err
		}
		run.TickAfter = time.Duration(rules.LongestCooldown()) + time.Second
	}
	if o.Sign && cfg.Verify.HMACSecret.Set() {
		run.Signer = ingest.NewSigner([]byte(cfg.Verify.HMACSecret.Reveal()), canonicalOf(verify.AppendCanonical))
	}
	if o.Progress != nil {
		run.Progress = func(p ingest.Progress) { o.Progress(p.Phase, p.Done, p.Total) }
	}
	watch, unknown := watchVerdicts(ctx, cfg, o)
	if run.Client, err = cfg.kafkaClient(ingest.ClientOptions(info)...); err != nil {
		return nil, err
	}
	defer run.Client.Close()
	res, err := ingest.Run(ctx, run, files, o.Stdin)
	report := &IngestReport{Result: res, Unknown: unknown}
	if err != nil || watch == nil || len(res.Written.Partitions()) == 0 {
		return report, err
	}
	waiting, cancel := context.WithTimeoutCause(ctx, o.Wait, fmt.Errorf("waited for %s", o.Wait))
	defer cancel()
	if err := watch.Wait(waiting, res.Written); err != nil {
		if ctx.Err() != nil {
			return report, ctx.Err()
		}
		report.Unknown = cfg.named(ctx, err, topics.DutyVerdicts).Error()
		return report, nil
	}
	report.Verdicts, err = watch.Read(ctx, res.Written)
	return report, err
}

// canonicalOf adapts the verifier's canonical form.
func canonicalOf(f func([]byte, *topics.Event) []byte) ingest.Canonicalizer { return f }

// watchVerdicts prepares for reading the verdicts; nil with the reason when they cannot be known.
func watchVerdicts(ctx context.Context, cfg *Loaded, o IngestOptions) (*ingest.Watch, string) {
	if o.Wait <= 0 {
		return nil, "not waited for"
	}
	kafka, err := cfg.KafkaOptions()
	if err != nil {
		return nil, err.Error()
	}
	w, err := ingest.NewWatch(ctx, ingest.WatchConfig{
		Kafka: kafka, Group: cfg.App.ID, Input: cfg.Topics.Input, Changelog: cfg.changelogTopic(), Seals: cfg.sealsTopic(),
		DeadLetter: cfg.Topics.DeadLetter,
		Progress: func(p ingest.Progress) {
			if o.Progress != nil {
				o.Progress(p.Phase, p.Done, p.Total)
			}
		},
	})
	if err != nil {
		err = cfg.named(ctx, err, topics.DutyVerdicts)
		return nil, fmt.Sprintf("the processor's topics cannot be read: %v", err)
	}
	running, err := w.Running(ctx)
	switch {
	case err != nil:
		return nil, cfg.named(ctx, err, topics.DutyVerdicts).Error()
	case !running:
		return nil, fmt.Sprintf("no processor runs: group %s has no members", cfg.App.ID)
	}
	return w, ""
}

func describeInput(ctx context.Context, c *Config) (ingest.TopicInfo, error) {
	cl, err := c.kafkaClient()
	if err != nil {
		return ingest.TopicInfo{}, err
	}
	defer cl.Close()
	return ingest.DescribeTopic(ctx, cl, c.Topics.Input)
}
