package state

import (
	"github.com/cockroachdb/pebble/v2"

	"tocsin/state/window"
)

// indexer writes index entries to a batch. Every head has one expiry entry, under the day of its last write, and a
// timer entry if it waits for a time.
type indexer struct {
	batch *pebble.Batch
	p     Partition
	key   []byte // scratch
}

// move replaces the entries of the old head by those of the new one; had and has say which of the two exist. What does
// not change is not written: most events move neither the day nor the timer.
func (x *indexer) move(groupKey []byte, old window.Index, had bool, now window.Index, has bool) error {
	oldDue, newDue := had && old.Due != 0, has && now.Due != 0
	sameDue := oldDue && newDue && old.Due == now.Due
	if oldDue && !sameDue {
		if err := x.batch.Delete(x.timer(groupKey, old.Due), nil); err != nil {
			return err
		}
	}
	if newDue && !sameDue {
		if err := x.batch.Set(x.timer(groupKey, now.Due), nil, nil); err != nil {
			return err
		}
	}
	sameDay := had && has && day(old.LastWrite) == day(now.LastWrite)
	if had && !sameDay {
		if err := x.batch.Delete(x.expiry(groupKey, old.LastWrite), nil); err != nil {
			return err
		}
	}
	if has && !sameDay {
		return x.batch.Set(x.expiry(groupKey, now.LastWrite), nil, nil)
	}
	return nil
}

func (x *indexer) timer(groupKey []byte, due int64) []byte {
	x.key = appendTimerKey(x.key[:0], x.p, due, groupKey)
	return x.key
}

func (x *indexer) expiry(groupKey []byte, lastWrite int64) []byte {
	x.key = appendExpiryKey(x.key[:0], x.p, lastWrite, groupKey)
	return x.key
}

func appendTimerKey(dst []byte, p Partition, due int64, groupKey []byte) []byte {
	return append(appendTime(appendPrefix(dst, p, storeTimers), due), groupKey...)
}

func appendExpiryKey(dst []byte, p Partition, lastWrite int64, groupKey []byte) []byte {
	return append(appendDay(appendPrefix(dst, p, storeExpiry), day(lastWrite)), groupKey...)
}
