package engine

// timers is a heap of keys by the record time after which they want to be looked at. An entry may be early: growth only
// puts a key's timers off, so it is left where it is and looked at again when it comes up. A key is in it at most once.
type timers struct {
	heap []timer
	at   map[string]int // key → place in heap
}

type timer struct {
	due int64
	key string
}

func (t timer) before(o timer) bool { return t.due < o.due || (t.due == o.due && t.key < o.key) }

// arm makes sure that the key comes up no later than due; 0 is no timer at all.
func (t *timers) arm(key string, due int64) {
	if due == 0 {
		return
	}
	if i, ok := t.at[key]; ok {
		if due < t.heap[i].due {
			t.heap[i].due = due
			t.up(i)
		}
		return
	}
	if t.at == nil {
		t.at = make(map[string]int)
	}
	t.heap = append(t.heap, timer{due, key})
	t.at[key] = len(t.heap) - 1
	t.up(len(t.heap) - 1)
}

// peek gives the earliest entry.
func (t *timers) peek() (timer, bool) {
	if len(t.heap) == 0 {
		return timer{}, false
	}
	return t.heap[0], true
}

// putOff moves the earliest entry to a later time; 0 takes it out.
func (t *timers) putOff(due int64) {
	if due != 0 {
		t.heap[0].due = due
		t.down(0)
		return
	}
	last := len(t.heap) - 1
	delete(t.at, t.heap[0].key)
	if last > 0 {
		t.heap[0] = t.heap[last]
		t.at[t.heap[0].key] = 0
	}
	t.heap[last] = timer{}
	t.heap = t.heap[:last]
	t.down(0)
}

func (t *timers) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !t.heap[i].before(t.heap[parent]) {
			return
		}
		t.swap(i, parent)
		i = parent
	}
}

func (t *timers) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(t.heap) {
			return
		}
		if child+1 < len(t.heap) && t.heap[child+1].before(t.heap[child]) {
			child++
		}
		if !t.heap[child].before(t.heap[i]) {
			return
		}
		t.swap(i, child)
		i = child
	}
}

func (t *timers) swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.at[t.heap[i].key], t.at[t.heap[j].key] = i, j
}
