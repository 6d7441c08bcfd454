package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"tocsin/processor/app"
	"tocsin/processor/app/settings"
)

type ingestCommand struct {
	Paths     []string      `arg:"" help:"Files or folders, - for stdin: JSON lines or CloudTrail."`
	Format    string        `help:"Form: auto, jsonl, cloudtrail." enum:"auto,jsonl,cloudtrail" default:"auto"`
	FileOrder bool          `help:"Keep the order of the input. Default: sort by event time."`
	Historic  bool          `help:"Judge as if it had been live: record time follows event time, and a tick ends the run."`
	NoSign    bool          `help:"Do not sign. Default: events without hash are signed with verify.hmac_secret."`
	Wait      bool          `help:"Wait for the processor's verdicts." default:"true" negatable:""`
	WaitFor   time.Duration `help:"How long to wait at most." default:"10m"`
	SortBytes settings.Size `help:"Memory for sorting; what exceeds it goes through temporary files." default:"256MiB"`
	TempDir   string        `help:"Folder for temporary files." placeholder:"DIR"`
}

// Run writes the events, waits, and says what became of them.
func (c ingestCommand) Run(ctx context.Context, env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	bar := env.progress()
	o := app.IngestOptions{
		Paths: c.Paths, Stdin: env.stdin, Format: c.Format, FileOrder: c.FileOrder, Historic: c.Historic, Sign: !c.NoSign,
		SortBytes: c.SortBytes, TempDir: c.TempDir, Now: env.now,
		Progress: func(phase string, done, total int64) { bar.at(phase, done, total, "events") },
	}
	if c.Wait {
		o.Wait = c.WaitFor
	}
	report, err := app.Ingest(ctx, l, o)
	bar.end()
	if report != nil {
		if outErr := printIngest(env, report); err == nil {
			err = outErr
		}
	}
	if err == nil && report.Refused > 0 {
		return app.ErrFindings
	}
	return err
}

func printIngest(env *environment, r *app.IngestReport) error {
	for _, x := range r.Refusals {
		env.say("not sent: %s: %s", escape(x.Place.String(), false), x.Err)
	}
	if more := r.Refused - int64(len(r.Refusals)); more > 0 {
		env.say("not sent: %d more", more)
	}
	if r.TickEarly {
		env.say("note: the history reaches up to the present, so episodes at its end stay open until time has passed" +
			" and further records (or ticks) come")
	}
	pairs := []any{"read", r.Read, "sent", r.Sent, "signed", r.Signed, "without_time", r.Undated, "refused", r.Refused}
	if !r.Oldest.IsZero() {
		pairs = append(pairs, "oldest", stamp(r.Oldest), "newest", stamp(r.Newest))
	}
	if r.Ticks > 0 {
		pairs = append(pairs, "ticks", r.Ticks, "tick_time", stamp(r.TickTime))
	}
	v := r.Verdicts
	if v == nil {
		return env.fields(append(pairs, "verdicts", "not known: "+r.Unknown)...)
	}
	if v.Unknown == "" {
		pairs = append(pairs, "accepted", v.Judged, "duplicate", v.Duplicates)
	} else {
		pairs = append(pairs, "accepted_or_duplicate", v.Either, "accepted", "not known: "+v.Unknown)
	}
	pairs = append(pairs, "late", v.DeadLetters["late"], "future", v.DeadLetters["future"], "dead_letters", v.DeadTotal())
	for _, reason := range slices.Sorted(maps.Keys(v.DeadLetters)) {
		if reason != "late" && reason != "future" {
			pairs = append(pairs, "dead_"+reason, v.DeadLetters[reason])
		}
	}
	if v.Unknown == "" {
		pairs = append(pairs, "exempted", v.Exempted, "id_conflicts", v.IDConflicts)
	}
	return env.fields(pairs...)
}

// stamp is the form of times in output.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
