package simulate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor/replay"
	"tocsin/state"
	"tocsin/state/window"
	"tocsin/topics"
)

// sealedLog is what a changelog partition comes to.
type sealedLog struct {
	seals map[uint64]int // sequence: the number of records up to and with the seal
	last  topics.Seal
}

// checkChangelog follows the seals: their sequence, the chain of hashes and the sum, all computed anew.
func (w *world) checkChangelog(all logs) map[int32]*sealedLog {
	sealed := map[int32]*sealedLog{}
	for id, records := range all[changelogTopic] {
		s := &sealedLog{seals: map[uint64]int{}}
		sealed[id] = s
		var rolling topics.Rolling
		var sum topics.Sum
		live := map[string][32]byte{}
		rolling.Reset([32]byte{})
		unsealed := 0
		for i, r := range records {
			if !topics.IsSealKey(r.Key) {
				unsealed++
				rolling.Add(r.Key, r.Value)
				if old, ok := live[string(r.Key)]; ok {
					sum.Sub(old)
					delete(live, string(r.Key))
				}
				if r.Value != nil {
					live[string(r.Key)] = topics.ChangeHash(r.Key, r.Value)
					sum.Add(live[string(r.Key)])
				}
				continue
			}
			unsealed = 0
			seal, err := topics.DecodeSeal(r.Value)
			switch {
			case err != nil:
				w.violated("changelog partition %d offset %d: %v", id, r.Offset, err)
			case seal.Sequence != s.last.Sequence+1 || seal.Next < s.last.Next || seal.Partition != id:
				w.violated("changelog partition %d offset %d: seal %d (next %d) of partition %d after seal %d (next %d)", id,
					r.Offset, seal.Sequence, seal.Next, seal.Partition, s.last.Sequence, s.last.Next)
			case seal.Rolling != rolling.Sum():
				w.violated("changelog partition %d offset %d: the rolling hash of seal %d is not that of its changes", id, r.Offset,
					seal.Sequence)
			case seal.Sum != sum:
				w.violated("changelog partition %d offset %d: the sum of seal %d is not that of the live records", id, r.Offset,
					seal.Sequence)
			}
			s.last = seal
			s.seals[seal.Sequence] = i + 1
			rolling.Reset(seal.Rolling)
		}
		if unsealed > 0 {
			w.violated("changelog partition %d: %d records without a seal", id, unsealed)
		}
	}
	return sealed
}

// checkCoverage: the chains are whole, and what they count together with the open intervals is what the naive detector
// says: every record got exactly one verdict.
func (w *world) checkCoverage(all logs, sealed map[int32]*sealedLog, want *expected) {
	chains := map[string][]*kgo.Record{}
	for _, r := range all.all(sealsTopic) {
		chains[string(r.Key)] = append(chains[string(r.Key)], r)
	}
	var got topics.Counts
	for id, s := range sealed {
		var head [32]byte
		next := int64(-1)
		for _, r := range chains[string(topics.CoverageKey(id))] {
			c, err := topics.DecodeCoverage(r.Value)
			if err != nil || !c.Follows(head) || next >= 0 && c.From != next {
				w.violated("coverage of partition %d: %v; from %d after %d, chained: %t", id, err, c.From, next, c.Follows(head))
			}
			head, next = c.Chain, c.To
			got.Add(&c.Counts)
		}
		if s.last.Coverage.ChainHead != head || next >= 0 && s.last.Coverage.From != next {
			w.violated("the open interval of partition %d does not follow its coverage records", id)
		}
		got.Add(&s.last.Coverage.Counts)
	}
	c := &want.counts
	expected := topics.Counts{Judged: c.Judged, Duplicates: c.Duplicates, Ticks: c.Ticks, Exempted: c.Exempted,
		IDConflicts: c.Conflicts, DeadLetters: c.DeadLetters}
	if got != expected {
		w.violated("verdicts: %+v counted, %+v expected", got, expected)
	}
}

// checkDigests: what each process left on its disk is the exact result of the changelog up to the position it claims;
// the last owner's is the whole; a fresh process that restores everything comes to the same; and so does the raw input,
// judged again.
func (w *world) checkDigests(all logs, sealed map[int32]*sealedLog, again *replay.Result) error {
	w.mu.Lock()
	disks := maps.Clone(w.disks)
	w.mu.Unlock()
	fresh, err := w.restoreAll()
	if err != nil {
		return err
	}
	disks["fresh"] = fresh
	whole := map[int32]int{}
	for _, name := range slices.Sorted(maps.Keys(disks)) {
		if err := w.checkDisk(name, disks[name], all, sealed, again, whole); err != nil {
			return fmt.Errorf("look at the disk of %s: %w", name, err)
		}
	}
	for id := range sealed {
		if whole[id] < 2 { // of an owner, and the fresh one
			w.violated("partition %d: nobody but a fresh process has its whole state", id)
		}
	}
	return nil
}

// checkDisk compares the state on a disk with the changelog.
func (w *world) checkDisk(
	name string, d *disk, all logs, sealed map[int32]*sealedLog, again *replay.Result, whole map[int32]int,
) (err error) {
	s, err := openState(d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	infos, err := s.Partitions()
	if err != nil {
		return err
	}
	for _, info := range infos {
		id := info.Partition.ID
		if !info.Complete {
			continue // a full restore that was interrupted and that nobody had to finish
		}
		n, ok := sealed[id].seals[info.Position.Seal.Sequence]
		if info.Position.Seal.Sequence == 0 {
			n, ok = 0, true
		}
		if !ok {
			w.violated("%s, partition %d: the state is at seal %d, which the changelog does not have", name, id,
				info.Position.Seal.Sequence)
			continue
		}
		if err := s.Verify(info.Partition); err != nil {
			w.violated("%s, partition %d: %v", name, id, err)
		}
		live := w.load.engine.Live(info.Position.Seal.RecordTime)
		got, err := s.Digest(info.Partition, live)
		if err != nil {
			return err
		}
		want, err := digestOf(all[changelogTopic][id][:n], live)
		if err != nil {
			return err
		}
		if got != want {
			w.violated("%s, partition %d at seal %d: the state has the digest %+v, the changelog %+v", name, id,
				info.Position.Seal.Sequence, got, want)
		}
		if info.Position.Seal.Sequence != sealed[id].last.Sequence {
			continue
		}
		whole[id]++
		for _, r := range again.Partitions {
			if r.Partition == id && r.Digest != got {
				w.violated("%s, partition %d: the state has the digest %+v, the input judged again %+v", name, id, got, r.Digest)
			}
		}
	}
	return nil
}

// restoreAll lets a fresh process restore all partitions, and stops it.
func (w *world) restoreAll() (*disk, error) {
	d := newDisk()
	p, err := w.start("fresh", d)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(drainTimeout); !p.loop.Health().Ready ||
		len(p.loop.Health().Partitions) != int(w.plan.Partitions); {
		if time.Now().After(deadline) {
			w.violated("a fresh process does not get ready: %+v; the group: %+v", p.loop.Health(), w.cluster.GroupInfo(app))
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	p.stop()
	return d, nil
}

func openState(fs vfs.FS) (*state.Store, error) {
	return state.Open(state.Config{
		FS: fs, Dir: "state", HeadIndex: window.HeadIndex, Now: time.Now, CacheBytes: 1 << 20, MemTableBytes: 256 << 10,
	})
}

// digestOf applies changelog records to an empty store, by a full restore.
func digestOf(records []*kgo.Record, live func(window.Index) bool) (d state.Digest, err error) {
	s, err := openState(vfs.NewMem())
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	part := state.Partition{}
	if len(records) > 0 {
		part.ID = records[0].Partition
	}
	lease, err := s.Acquire(context.Background(), part, "check") // nobody else has it: nothing waits
	if err != nil {
		return d, err
	}
	defer lease.Release()
	r, err := lease.Restore(state.RestoreConfig{Mode: state.Full})
	if err != nil {
		return d, err
	}
	defer r.Abort()
	next := int64(0)
	for _, rec := range records {
		if err := r.Add(state.ChangeRecord{Offset: rec.Offset, Key: rec.Key, Value: rec.Value}); err != nil {
			return d, err
		}
		next = rec.Offset + 1
	}
	if _, err := r.Finish(next); err != nil {
		return d, err
	}
	return s.Digest(part, live)
}
