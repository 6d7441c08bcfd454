package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"tocsin/processor/processortest/program"
)

// checkDigests holds the state of the processes, which have ended, against that of the input judged again.
func (w *world) checkDigests(ctx context.Context) error {
	_, err := w.compareDigests(ctx)
	return err
}

// compareDigests compares every partition, in the folders of those that had it last, with a replay by the build of the
// run. It gives how many values of these partitions are written in which format.
func (w *world) compareDigests(ctx context.Context) (map[string]int64, error) {
	began := time.Now()
	want, err := w.replay(ctx)
	if err != nil {
		return nil, err
	}
	// Whoever ended after the output was compared may have written a last transaction.
	reading, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := w.changelog.catchUp(reading, w.adm, w.app.Changelog()); err != nil {
		return nil, err
	}
	same, values := [partitions]bool{}, map[string]int64{}
	for _, m := range w.members[:members-1] {
		if err := w.checkState(ctx, m, &want, &same, values); err != nil {
			return nil, err
		}
	}
	for _, s := range same {
		if s {
			w.report.Digests++
		}
	}
	if w.report.Digests < partitions {
		w.report.fail("the digests of %d of %d partitions are those of a replay", w.report.Digests, partitions)
	}
	w.cfg.Say("the digests of %d of %d partitions are those of a replay, which took %s", w.report.Digests, partitions,
		time.Since(began).Round(time.Second))
	return values, nil
}

// replay gives the digests that the input comes to, judged by the build of the run with its own configuration.
func (w *world) replay(ctx context.Context) (digests [partitions]string, err error) {
	before := program.Member{Instance: "before", Dir: filepath.Join(w.cfg.Dir, "before"), HTTP: w.members[0].HTTP}
	config, err := w.writeConfig(&before)
	if err != nil {
		return digests, err
	}
	out, err := program.Call(ctx, w.cfg.Program, config, "replay", "--output", "json")
	if err != nil {
		return digests, fmt.Errorf("replay: %w", err)
	}
	for line := range bytes.Lines(out) {
		var row struct {
			Partition int    `json:"partition"`
			Digest    string `json:"digest"`
		}
		if json.Unmarshal(line, &row) == nil && row.Digest != "" && row.Partition < partitions {
			digests[row.Partition] = row.Digest
		}
	}
	for p, digest := range digests {
		if digest == "" {
			return digests, fmt.Errorf("replay says nothing of partition %d", p)
		}
	}
	return digests, nil
}

// checkState compares the partitions that a process held in the end.
func (w *world) checkState(
	ctx context.Context, m *member, want *[partitions]string, same *[partitions]bool, values map[string]int64,
) error {
	out, err := program.Call(ctx, m.program, m.config, "state", "inspect", "--digest", "--output", "json")
	if err != nil {
		return fmt.Errorf("state of %s: %w", m.Instance, err)
	}
	for line := range bytes.Lines(out) {
		var row struct {
			Partition string `json:"partition"`
			Complete  bool   `json:"complete"`
			Sequence  uint64 `json:"transactions"`
			Digest    string `json:"digest"`
			Formats   string `json:"formats"`
		}
		if json.Unmarshal(line, &row) != nil || !row.Complete {
			continue
		}
		p, err := strconv.Atoi(strings.TrimPrefix(row.Partition, "0/"))
		if err != nil || p >= partitions {
			return fmt.Errorf("state of %s: partition %q", m.Instance, row.Partition)
		}
		w.changelog.mu.Lock()
		last := w.changelog.parts[p].last.Sequence
		w.changelog.mu.Unlock()
		if row.Sequence != last {
			continue // somebody else had it last
		}
		if row.Digest != want[p] {
			w.report.fail("%s: the digest of partition %d is %s, that of a replay %s", m.Instance, p, row.Digest, want[p])
			continue
		}
		same[p] = true
		for count := range strings.SplitSeq(row.Formats, ", ") {
			format, text, _ := strings.Cut(count, ": ")
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return fmt.Errorf("state of %s: formats %q", m.Instance, row.Formats)
			}
			values[format] += n
		}
	}
	return nil
}
