package soak

import (
	"fmt"

	"tocsin/processor/processortest/program"
)

// maxTail is the number of its own transactions that a process may have to read again for a partition.
const maxTail = 2

// Restores sums up how partitions came back to processes.
type Restores struct {
	First       int   `json:"first"`        // in full, by a process that never had the partition
	Tail        int   `json:"tail"`         // from the stored position, nobody else having had the partition since
	TailOthers  int   `json:"tail_others"`  // from the stored position, others having had it meanwhile
	Wipes       int   `json:"wipes"`        // in full, although the process had had it: must not be
	Compared    int   `json:"compared"`     // with the position on disk before the process was started
	Resumed     int   `json:"resumed"`      // of a tail whose reading had been cut off: from where that had come to
	MaxTail     int   `json:"max_tail"`     // most transactions of a tail that is the process's own
	Own         []int `json:"own"`          // restores by the number of the process's own transactions read: 0, 1, 2, more
	OtherTrans  int   `json:"other_trans"`  // transactions of others read
	TailRecords int64 `json:"tail_records"` // read by all tails
	FullRecords int64 `json:"full_records"` // read by full restores
}

// restored is a line of a process's log.
type restored struct {
	partition             int32
	mode                  string
	from, until           int64
	records, transactions int64
}

// checkLogs reads the logs of all lives: every restore against the changelog, and what must not be there.
func (w *world) checkLogs() error {
	c := w.changelog
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		w.report.fail("changelog: %v", c.err)
	}
	sum := &w.report.Restores
	sum.Own = make([]int, maxTail+2)
	for _, m := range w.members {
		had := map[int32]bool{}
		for i := range m.lives {
			l := &m.lives[i]
			lines, err := program.Lines(l.log)
			if err != nil {
				return err
			}
			w.report.Lives++
			began := map[int32]bool{} // restored in this life
			cut := map[int32]bool{}   // given up in this life before it was restored
			for _, line := range lines {
				switch line["msg"] {
				case "restored":
					r, err := parseRestored(line)
					if err != nil {
						return fmt.Errorf("%s: %w", l.log, err)
					}
					w.checkRestore(m, l, &r, past{had[r.partition], began[r.partition], cut[r.partition]})
					had[r.partition], began[r.partition] = true, true
				case "partitions given up":
					for _, p := range partitionsIn(line) {
						cut[p] = cut[p] || !began[p]
					}
				case "partition stopped":
					w.report.fail("%s life %d: %v", m.Instance, i+1, line["error"])
				case "transaction aborted, its records come again":
					w.report.Aborts[fmt.Sprint(line["reason"])]++
				case "starting over with a new client; the state is restored from the changelog":
					w.report.Unknown++
				}
			}
		}
	}
	// Nothing above has been checked where there was nothing to check.
	if sum.First < partitions || sum.Compared == 0 || sum.Tail+sum.TailOthers == 0 || sum.TailRecords == 0 {
		w.report.fail("%d restores in full, %d of the tail with %d records, %d compared with the disk: that shows nothing",
			sum.First, sum.Tail+sum.TailOthers, sum.TailRecords, sum.Compared)
	}
	return nil
}

func parseRestored(line map[string]any) (r restored, err error) {
	number := func(name string) int64 {
		f, ok := line[name].(float64)
		if !ok {
			err = fmt.Errorf("line %v has no number %q", line, name)
		}
		return int64(f)
	}
	r = restored{partition: int32(number("partition")), mode: fmt.Sprint(line["mode"]), from: number("from"),
		until: number("until"), records: number("records"), transactions: number("transactions")}
	if r.mode != "tail" && r.mode != "full" {
		err = fmt.Errorf("line %v: mode %q", line, r.mode)
	}
	return r, err
}

func partitionsIn(line map[string]any) (ps []int32) {
	list, _ := line["partitions"].([]any)
	for _, v := range list {
		if f, ok := v.(float64); ok {
			ps = append(ps, int32(f))
		}
	}
	return ps
}

// past is what came before a restore: whether the process ever had the partition, whether it was restored in this life
// already, and whether in this life it was given up before that.
type past struct{ had, again, cut bool }

// checkRestore holds a restore against what the changelog has and what was on disk.
func (w *world) checkRestore(m *member, l *life, r *restored, before past) {
	c, sum := w.changelog, &w.report.Restores
	where := fmt.Sprintf("%s, log %s, partition %d from %d until %d", m.Instance, l.log, r.partition, r.from, r.until)
	stored, onDisk := l.stored[r.partition]
	if r.mode != "tail" {
		sum.FullRecords += r.records
		if before.had || onDisk {
			sum.Wipes++
			w.report.fail("%s: restored in full although the process had it", where)
			return
		}
		sum.First++
		return
	}
	switch {
	case before.again || !onDisk:
	case before.cut: // what a restore has read is applied as it goes: the next one need not read it again
		sum.Resumed++
		if r.from < stored {
			w.report.fail("%s: the position on disk was %d, further on", where, stored)
		}
	default:
		sum.Compared++
		if r.from != stored {
			w.report.fail("%s: the position on disk was %d", where, stored)
		}
	}
	seals, records := c.parts[r.partition].between(r.from, r.until)
	if records != r.records || int64(len(seals)) != r.transactions {
		w.report.fail("%s: read %d records of %d transactions, the changelog has %d of %d", where, r.records, r.transactions,
			records, len(seals))
	}
	own, others := 0, 0
	for _, s := range seals {
		switch owner, ok := c.owners[s.producer]; {
		case !ok:
			w.report.fail("%s: the producer %d at offset %d is nobody's", where, s.producer, s.offset)
		case owner == m.number:
			own++
		default:
			others++
		}
	}
	if others > 0 {
		sum.TailOthers++
		sum.OtherTrans += others
	} else {
		sum.Tail++
	}
	sum.TailRecords += r.records
	sum.MaxTail = max(sum.MaxTail, own)
	sum.Own[min(own, maxTail+1)]++
	if own > maxTail {
		w.report.fail("%s: %d transactions of its own were read again", where, own)
	}
}
