package main

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tocsin/processor/app"
)

type stateCommand struct {
	Inspect stateInspectCommand `cmd:"" help:"Show what the state on disk holds. No process may be using it."`
}

type stateInspectCommand struct {
	Digest bool `help:"Read everything and compute the digest of what is live."`
}

// Run lists the partitions.
func (c stateInspectCommand) Run(env *environment) error {
	l, err := env.load()
	if err != nil {
		return err
	}
	columns := []string{"partition", "complete", "next_input_offset", "transactions", "record_time",
		"next_changelog_offset", "applied", "disk_bytes"}
	if c.Digest {
		columns = append(columns, "keys", "records", "digest", "formats")
	}
	out := env.list(columns...)
	err = app.InspectState(&l.Config, c.Digest, env.now, func(p app.PartitionState) error {
		row := []any{p.Partition, p.Complete, p.Next, p.Sequence, p.RecordTime, p.Changelog, stamp(p.AppliedAt), p.DiskBytes}
		if p.Digest != nil {
			row = append(row, p.Digest.Keys, p.Digest.Records, hex.EncodeToString(p.Digest.Hash[:]),
				formats(p.Formats))
		}
		out.row(row...)
		return nil
	})
	if outErr := out.end(); err == nil {
		err = outErr
	}
	return err
}

// formats says how many values are written in each format: "1: 20, 2: 5".
func formats(counts map[int]int64) string {
	var parts []string
	for _, format := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d: %d", format, counts[format]))
	}
	return strings.Join(parts, ", ")
}
