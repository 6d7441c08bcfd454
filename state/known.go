package state

import (
	"hash/maphash"
	"sync"
)

// known says of most group keys that have no state that they have none, from memory: for a new principal Pebble would
// look into every memtable and every level, which costs more than judging its event.
//
// It is a Bloom filter that is filled in the background, from the expiry index, when it is first asked. Until it is
// full, and whenever more keys have come than it was made for, it knows nothing and every key may be there.
//
// That it never denies a key that is there rests on the order of things: a filter is published before the index is
// read, and what a stage applies is added after the commit. A key is either committed before the index is read, and
// read, or added to the filter that was published.
type known struct {
	seed maphash.Seed

	mu      sync.Mutex
	filter  *keyFilter // nil: none, or not asked for yet
	ready   bool       // every key is in it
	filling bool
	epoch   int // counts calls of forget: a filling that began before one is void
	count   int // keys found by the last filling
}

const (
	knownMin   = 1 << 16 // keys that the smallest filter is made for
	knownMax   = 1 << 26 // beyond, a filter takes more memory than it is worth: 96 MB
	knownBatch = 512     // keys read from the index between two looks at the lease
)

// MayHold says whether the group key may have state: false only when it certainly has none. The lease must be held, and
// not be restoring.
func (l *Lease) MayHold(groupKey []byte) bool {
	k := &l.known
	h := maphash.Bytes(k.seed, groupKey)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ready {
		return k.filter.has(h)
	}
	if !k.filling && k.count < knownMax {
		k.filling = true
		go l.fill(k.epoch, max(knownMin, 2*k.count))
	}
	return true
}

// add takes group keys that have state now; their hashes.
func (k *known) add(hashes []uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.insert(hashes)
}

func (k *known) insert(hashes []uint64) {
	if k.filter == nil {
		return
	}
	for _, h := range hashes {
		k.filter.add(h)
	}
	if k.ready && k.filter.count > k.filter.capacity { // a larger one is filled when it is asked next
		k.count, k.filter, k.ready = k.filter.count, nil, false
	}
}

// forget makes the filter know nothing: the partition is going to be restored.
func (k *known) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.filter, k.ready, k.filling = nil, false, false
	k.epoch++
}

// fill reads all group keys. It ends with the lease, with the store, or when the filter is forgotten; an error of the
// store leaves a filter that is never ready, and shows wherever the store is used.
func (l *Lease) fill(epoch, capacity int) {
	if l.s.enter() != nil {
		return
	}
	defer l.s.exit()
	k := &l.known
	for l.s.open() && l.live() == nil && capacity <= 2*knownMax {
		if !k.publish(epoch, newKeyFilter(capacity)) {
			return
		}
		complete, full := l.readKnown(epoch)
		if !full {
			k.finish(epoch, complete)
			return
		}
		capacity *= 2
	}
	k.finish(epoch, false)
}

func (k *known) publish(epoch int, b *keyFilter) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.epoch != epoch {
		return false
	}
	k.filter, k.ready = b, false
	return true
}

func (k *known) finish(epoch int, complete bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.epoch != epoch {
		return
	}
	k.ready, k.filling = complete, false
	if complete {
		k.count = k.filter.count
	} else {
		k.filter, k.count = nil, knownMax // no further attempt
	}
}

// readKnown adds the keys of the expiry index, where every key with a head stands. full: there are more than the filter
// is made for.
func (l *Lease) readKnown(epoch int) (complete, full bool) {
	k := &l.known
	hashes := make([]uint64, 0, knownBatch)
	flush := func() error {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.epoch != epoch || !l.s.open() || l.live() != nil {
			return errStop
		}
		k.insert(hashes)
		hashes = hashes[:0]
		if full = k.filter.count > k.filter.capacity; full {
			return errStop
		}
		return nil
	}
	stopped := false
	err := l.s.iterate(prefix(l.p, storeExpiry), prefix(l.p, storeExpiry+1), func(key, _ []byte) error {
		hashes = append(hashes, maphash.Bytes(k.seed, key[prefixLen+4:]))
		if len(hashes) < knownBatch {
			return nil
		}
		err := flush()
		stopped = err != nil
		return err
	})
	if err != nil || stopped || flush() != nil {
		return false, full
	}
	return true, false
}

// keyFilter is a Bloom filter of which a key touches one cache line (Putze, Sanders, Singler: Cache-, Hash- and
// Space-Efficient Bloom Filters, 2007): 12 bits and 6 probes per key, about one false positive in a hundred.
type keyFilter struct {
	lines           [][8]uint64
	count, capacity int // keys added, keys it is made for
}

const bloomProbes = 6

func newKeyFilter(capacity int) *keyFilter {
	return &keyFilter{lines: make([][8]uint64, capacity*12/512+1), capacity: capacity}
}

func (b *keyFilter) add(h uint64) {
	line := b.line(h)
	for range bloomProbes {
		h = next(h)
		line[h>>61] |= 1 << (h >> 55 & 63)
	}
	b.count++
}

func (b *keyFilter) has(h uint64) bool {
	line := b.line(h)
	for range bloomProbes {
		h = next(h)
		if line[h>>61]&(1<<(h>>55&63)) == 0 {
			return false
		}
	}
	return true
}

func (b *keyFilter) line(h uint64) *[8]uint64 { return &b.lines[h>>32*uint64(len(b.lines))>>32] }

// next is a step of a linear congruential generator (Knuth's MMIX): its upper bits are the probes.
func next(h uint64) uint64 { return h*6364136223846793005 + 1442695040888963407 }
