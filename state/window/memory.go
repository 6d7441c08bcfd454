package window

// Memory is what keys need while they work: scratch, and the arrays that entries lie in, so that growing keys leave no
// garbage behind. The zero value is ready; it is for one goroutine. A key takes from it what it needs from Use on, and
// gives back what it drops; Release gives back the rest. A key without one makes its own.
type Memory struct {
	free   [ChunkSize / entryStep][][]Entry
	events []Emission // of the last Accept or Fire
	newest uint64     // number of the entry being accepted, left out of counts until the end
}

const (
	// entryStep is by how many entries a tail grows: most keys stay small, and a chunk is full soon.
	entryStep = 4
	// maxFree bounds how many arrays of one size are kept.
	maxFree = 128
)

// get gives an array for n entries at least, 1 ≤ n ≤ ChunkSize. A nil Memory makes a new one.
func (m *Memory) get(n int) []Entry {
	class := (n - 1) / entryStep
	if m != nil {
		if free := m.free[class]; len(free) > 0 {
			es := free[len(free)-1]
			m.free[class] = free[:len(free)-1]
			return es
		}
	}
	return make([]Entry, 0, (class+1)*entryStep) // once per array: it comes back
}

// put takes an array back. Nothing may point into it any more.
func (m *Memory) put(es []Entry) {
	if m == nil || cap(es) == 0 || cap(es) > ChunkSize || cap(es)%entryStep != 0 {
		return
	}
	if class := cap(es)/entryStep - 1; len(m.free[class]) < maxFree {
		m.free[class] = append(m.free[class], es[:0])
	}
}

// Use has the key take its memory from m, which other keys may use too.
func (k *Key) Use(m *Memory) { k.memory = m }

// Release gives the key's memory back; the key is not to be used afterwards.
func (k *Key) Release() {
	k.memory.put(k.tail)
	for i := range k.chunks {
		k.memory.put(k.chunks[i].entries)
	}
	*k = Key{}
}
