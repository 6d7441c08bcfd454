package processor

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"tocsin/processor/engine"
)

const (
	misKeyedMany   = 3                  // records in the wrong partition, of those checked,
	misKeyedWithin = int64(time.Minute) // within this time of each other, are a warning
	misKeyedLasts  = time.Hour          // that is shown for so long after the last time this was so
	misKeyedKept   = 64                 // times remembered
)

// keying collects records that do not lie in the partition of their key, as the engine finds them, and says when they
// are more than a slip. Windows by principal are then torn apart and alerts can be missed: it is the producers that
// must be mended.
//
// How close they are to each other is measured in record time. So the same log gives the same warning, and a backlog
// that is read a thousand times faster than it was written does not turn slips of days into a flood. How long the
// warning is shown is for people, and goes by the wall clock.
type keying struct {
	now func() time.Time

	mu       sync.Mutex
	times    []int64 // record times of the last ones found, ascending
	checked  int64   // records since the start
	misKeyed int64
	last     engine.MisKeyed
	warned   time.Time // when there were last too many; zero: never
}

// note takes what a committed transaction has found. It returns a text when a warning begins.
func (k *keying) note(checked int64, found []engine.MisKeyed) (warning string) {
	if checked == 0 {
		return ""
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.checked += checked
	k.misKeyed += int64(len(found))
	many := false
	for _, m := range found {
		many = k.remember(m.RecordTime) || many
		k.last = m
	}
	if !many {
		return ""
	}
	began := !k.active()
	k.warned = k.now()
	if !began {
		return ""
	}
	return k.text()
}

// noteKeys notes what a committed transaction has found.
func (w *worker) noteKeys(fx *engine.Effects) {
	if warning := w.proc.keying.note(fx.KeysChecked, fx.MisKeyed); warning != "" {
		w.log.Warn("keys of the input", "warning", warning)
	}
}

// remember says whether this one and others are too many within the time.
func (k *keying) remember(at int64) (many bool) {
	i, _ := slices.BinarySearch(k.times, at)
	k.times = slices.Insert(k.times, i, at)
	for first := max(i-misKeyedMany+1, 0); first <= i && first+misKeyedMany <= len(k.times); first++ {
		many = many || k.times[first+misKeyedMany-1]-k.times[first] < misKeyedWithin
	}
	if len(k.times) > misKeyedKept {
		k.times = slices.Delete(k.times, 0, 1)
	}
	return many
}

// warning is what Health shows; empty for nothing.
func (k *keying) warning() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.active() {
		return ""
	}
	return k.text()
}

func (k *keying) active() bool {
	return !k.warned.IsZero() && k.now().Sub(k.warned) < misKeyedLasts
}

func (k *keying) text() string {
	return fmt.Sprintf("%d of %d checked input records lie in another partition than their principal's others; the last: "+
		"partition %d offset %d belongs to partition %d. Rules by principal count each partition apart and can miss what is "+
		"torn in two. Write events with `tocsin ingest`, or have their producers set the record key of input.key and choose "+
		"the partition by Kafka's own hash of it (murmur2; for librdkafka: partitioner=murmur2_random)",
		k.misKeyed, k.checked, k.last.Partition, k.last.Offset, k.last.Belongs)
}
