package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/app/settings"
	"tocsin/topics"
	"tocsin/topics/readlog"
)

// restored is a line of a process's log: a partition's state has been brought to the end of its changelog. The peer's
// lines are of the same form, without mode and transactions.
type restored struct {
	Time         time.Time         `json:"time"`
	Message      string            `json:"msg"`
	Partition    int32             `json:"partition"`
	Mode         string            `json:"mode"`
	From         int64             `json:"from"`
	Until        int64             `json:"until"`
	Records      int64             `json:"records"`
	Transactions int               `json:"transactions"`
	Took         settings.Duration `json:"took"`
}

// restores are those of a life that ended after a time.
func (n *node) restores(after time.Time) ([]restored, error) {
	b, err := os.ReadFile(n.log)
	if err != nil {
		return nil, err
	}
	return parseRestored(b, after), nil
}

func parseRestored(log []byte, after time.Time) (lines []restored) {
	for line := range bytes.Lines(log) {
		var r restored
		if json.Unmarshal(line, &r) == nil && r.Message == "restored" && r.Time.After(after) {
			lines = append(lines, r)
		}
	}
	return lines
}

// restoring sums up restores.
type restoring struct {
	records      int64
	transactions int // of the partition with the most
	begin, end   time.Time
}

func sumUp(lines []restored) (sum restoring) {
	for i := range lines {
		r := &lines[i]
		sum.records += r.Records
		sum.transactions = max(sum.transactions, r.Transactions)
		if begin := r.Time.Add(-time.Duration(r.Took)); sum.begin.IsZero() || begin.Before(sum.begin) {
			sum.begin = begin
		}
		if r.Time.After(sum.end) {
			sum.end = r.Time
		}
	}
	return sum
}

// rate is records per second, from the first partition's begin to the last one's end.
func (s *restoring) rate() float64 {
	if took := s.end.Sub(s.begin).Seconds(); took > 0 {
		return float64(s.records) / took
	}
	return 0
}

// checkModes says which partitions were not restored, or not as they should.
func checkModes(lines []restored, partitions []int32, mode string) error {
	var errs []error
	seen := map[int32]bool{}
	for i := range lines {
		r := &lines[i]
		seen[r.Partition] = true
		if r.Mode != mode {
			errs = append(errs, fmt.Errorf("partition %d: a %s restore of %d records, and not a %s one", r.Partition, r.Mode,
				r.Records, mode))
		}
	}
	for _, id := range partitions {
		if !seen[id] {
			errs = append(errs, fmt.Errorf("partition %d: the log says nothing of a restore", id))
		}
	}
	return errors.Join(errs...)
}

// maxTail is the number of transactions that a process which was killed may have to read again for a partition.
const maxTail = 2

// checkTails holds restores of a tail against the changelog: they read what is there, and of transactions at most two.
func (w *world) checkTails(ctx context.Context, changelog string, lines []restored) error {
	var errs []error
	for i := range lines {
		r := &lines[i]
		var records int64
		transactions := 0
		if r.From < r.Until {
			reader := readlog.Reader{Kafka: w.reach(), Topic: changelog, StallAfter: w.patience}
			stretch := map[int32]readlog.Range{r.Partition: {From: r.From, To: r.Until}}
			if err := reader.Read(ctx, stretch, func(rec *kgo.Record) error {
				if rec.Attrs.IsControl() {
					return nil
				}
				records++
				if topics.IsSealKey(rec.Key) {
					transactions++
				}
				return nil
			}); err != nil {
				return fmt.Errorf("read the tail of partition %d: %w", r.Partition, err)
			}
		}
		errs = append(errs, checkTail(r, records, transactions))
	}
	return errors.Join(errs...)
}

// checkTail compares a restore with the records and transactions that the changelog has where it read.
func checkTail(r *restored, records int64, transactions int) error {
	switch {
	case r.Records != records || r.Transactions != transactions:
		return fmt.Errorf("partition %d: read %d records of %d transactions, the changelog has %d of %d there", r.Partition,
			r.Records, r.Transactions, records, transactions)
	case transactions > maxTail:
		return fmt.Errorf("partition %d: %d transactions were read again, more than %d", r.Partition, transactions, maxTail)
	}
	return nil
}
