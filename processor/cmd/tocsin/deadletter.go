package main

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tocsin/processor/app"
	"tocsin/processor/app/narrate"
)

type deadletterCommand struct {
	Ls    deadletterLsCommand    `cmd:"" help:"List records that were set aside."`
	Show  deadletterShowCommand  `cmd:"" help:"Show one: what is wrong with it, where it came from, how to mend it."`
	Stats deadletterStatsCommand `cmd:"" help:"Count them by reason."`
}

type deadletterLsCommand struct {
	Reason string        `help:"Only these, as in late or bad_timestamp."`
	Since  time.Duration `help:"Set aside within this time, as in 24h." placeholder:"DURATION"`
	Limit  int           `help:"At most this many." default:"100"`
}

// Run lists dead letters.
func (c deadletterLsCommand) Run(ctx context.Context, env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	f := app.DeadLetterFilter{Reason: c.Reason}
	if c.Since > 0 {
		f.Since = env.now().Add(-c.Since)
	}
	out := env.list("id", "set_aside", "reason", "origin", "error")
	n := 0
	err = app.DeadLetters(ctx, l, f, func(d *app.DeadLetter) bool {
		out.row(deadLetterID(d), stamp(d.SetAside), d.Reason, origin(d), d.Error)
		n++
		return n < c.Limit
	})
	if outErr := out.end(); err == nil {
		err = outErr
	}
	return err
}

// deadLetterID is how a dead letter is named on the command line: its partition and offset.
func deadLetterID(d *app.DeadLetter) string {
	return strconv.Itoa(int(d.Partition)) + ":" + strconv.FormatInt(d.Offset, 10)
}

// origin is topic:partition:offset of the record it was.
func origin(d *app.DeadLetter) string {
	s := d.Topic + ":" + strconv.Itoa(int(d.DeadLetter.Partition)) + ":" + strconv.FormatInt(d.First, 10)
	if d.Last > d.First {
		s += "-" + strconv.FormatInt(d.Last, 10)
	}
	return s
}

type deadletterShowCommand struct {
	ID  string `arg:"" help:"Partition and offset, as deadletter ls lists them: 3:17."`
	All bool   `help:"All of the record. Default: the place that is wrong."`
}

// Run shows one dead letter: in words for people, else as one object.
func (c deadletterShowCommand) Run(ctx context.Context, env *environment) error {
	p, o, ok := strings.Cut(c.ID, ":")
	partition, err1 := strconv.ParseInt(p, 10, 32)
	offset, err2 := strconv.ParseInt(o, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return app.Usagef("%s: write partition:offset, as deadletter ls lists them", c.ID)
	}
	l, err := env.load()
	if err != nil {
		return err
	}
	p32 := int32(partition)
	var found *app.DeadLetter
	filter := app.DeadLetterFilter{Partition: &p32, Offset: &offset}
	err = app.DeadLetters(ctx, l, filter, func(d *app.DeadLetter) bool {
		found = d
		return false
	})
	if err != nil {
		return err
	}
	if found == nil || found.Offset != offset {
		return app.Usagef("there is no dead letter %s", c.ID)
	}
	if env.tables() {
		o := env.reader("")
		o.All = c.All
		return env.print(narrate.DeadLetter(&narrate.SetAside{
			DeadLetter: found.DeadLetter, Topic: l.Topics.DeadLetter, Partition: found.Partition, Offset: found.Offset,
			At: found.SetAside, Key: found.Key, Value: found.Value, Headers: found.Headers,
		}, o))
	}
	pairs := []any{
		"id", deadLetterID(found), "set_aside", stamp(found.SetAside), "reason", found.Reason, "error", found.Error,
		"origin", origin(found), "origin_time", stamp(originTime(found)), "mend", narrate.Mend(found.Reason),
		"key", readable(found.Key),
	}
	for _, h := range found.Headers {
		pairs = append(pairs, "header "+h.Key, readable(h.Value))
	}
	return env.fields(append(pairs, "bytes", len(found.Value), "value", readable(found.Value))...)
}

type deadletterStatsCommand struct {
	Since time.Duration `help:"Set aside within this time, as in 24h." placeholder:"DURATION"`
}

// Run counts dead letters.
func (c deadletterStatsCommand) Run(ctx context.Context, env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	bar := env.progress()
	f := app.DeadLetterFilter{Progress: func(done, total int64) { bar.at("reading", done, total, "records") }}
	if c.Since > 0 {
		f.Since = env.now().Add(-c.Since)
	}
	counts, err := app.DeadLetterStats(ctx, l, f)
	bar.end()
	if err != nil {
		return err
	}
	out := env.list("reason", "records", "first", "last", "partitions", "example", "mend")
	var total int64
	for i := range counts {
		k := &counts[i]
		total += k.Records
		out.row(k.Reason, k.Records, stamp(k.First), stamp(k.Last), partitionList(k.Partitions), deadLetterID(k.Example),
			narrate.Mend(k.Reason))
	}
	if err := out.end(); err != nil || !env.tables() {
		return err
	}
	if total == 0 {
		env.say("Nothing was set aside.")
		return nil
	}
	env.say("Records set aside: %d. What is wrong with one of them:  %s", total,
		env.reader("").Command("deadletter", "show", deadLetterID(counts[0].Example)))
	return nil
}

// partitionList writes partitions in short: 0-3, 7.
func partitionList(partitions []int32) string {
	var parts []string
	for i := 0; i < len(partitions); {
		j := i
		for j+1 < len(partitions) && partitions[j+1] == partitions[j]+1 {
			j++
		}
		part := strconv.Itoa(int(partitions[i]))
		if j > i {
			part += "-" + strconv.Itoa(int(partitions[j]))
		}
		parts, i = append(parts, part), j+1
	}
	return strings.Join(parts, ", ")
}

func originTime(d *app.DeadLetter) time.Time {
	if d.Timestamp == 0 {
		return time.Time{}
	}
	return time.UnixMilli(d.Timestamp)
}

// readable makes bytes text: as they are when they are UTF-8, else with the odd ones escaped, so that JSON loses
// nothing.
func readable(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return escape(string(b), true)
}
