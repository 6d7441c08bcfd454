package engine

import "tocsin/state/window"

// cache keeps decoded keys between transactions. Keys changed in the running transaction are in it too and never go
// before it has ended.
//
// What goes is decided by the clock algorithm (second chance): a hit sets one flag in an entry that is needed anyway,
// where a list of the least recently used would write to three others.
type cache struct {
	budget, bytes int
	keys          map[string]*cached
	hand          *cached // ring: where the search for what can go continues; nil when empty
	memory        window.Memory
}

type cached struct {
	key        string
	k          window.Key
	dirty      bool
	used       bool // since the hand came by
	bytes      int
	prev, next *cached
}

// cachedOverhead is what an entry costs beside its window: struct, map slot, key.
const cachedOverhead = 512

func (c *cache) init(budget int) { c.budget, c.keys = budget, make(map[string]*cached) }

func (c *cache) get(key []byte) *cached {
	e := c.keys[string(key)]
	if e != nil {
		e.used = true
	}
	return e
}

// add makes an entry, which the hand will reach last.
func (c *cache) add(key []byte) *cached {
	e := &cached{key: string(key), used: true}
	e.k.Use(&c.memory)
	c.keys[e.key] = e
	if c.hand == nil {
		e.prev, e.next, c.hand = e, e, e
	} else {
		e.prev, e.next = c.hand.prev, c.hand
		e.prev.next, e.next.prev = e, e
	}
	c.resize(e)
	return e
}

func (c *cache) remove(e *cached) {
	if c.hand == e {
		c.hand = e.next
	}
	if e.next == e {
		c.hand = nil
	}
	e.prev.next, e.next.prev = e.next, e.prev
	delete(c.keys, e.key)
	c.bytes -= e.bytes
	e.k.Release()
}

func (c *cache) resize(e *cached) {
	n := cachedOverhead + len(e.key) + e.k.Size()
	c.bytes += n - e.bytes
	e.bytes = n
}

// evict makes room; call it when nothing is dirty.
func (c *cache) evict() {
	for c.bytes > c.budget && c.hand != nil {
		if e := c.hand; e.used {
			e.used, c.hand = false, e.next
		} else {
			c.remove(e)
		}
	}
}
