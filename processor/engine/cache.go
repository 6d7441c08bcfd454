package engine

import "tocsin/state/window"

// cache keeps decoded keys between transactions, the least recently used going first. Keys changed in the running
// transaction are in it too and never go before it has ended.
type cache struct {
	budget, bytes int
	keys          map[string]*cached
	head          cached // ring: head.next is the most recently used
}

type cached struct {
	key        string
	k          window.Key
	dirty      bool
	bytes      int
	prev, next *cached
}

// cachedOverhead is what an entry costs beside its window: struct, map slot, key.
const cachedOverhead = 512

func (c *cache) init(budget int) {
	c.budget, c.keys = budget, make(map[string]*cached)
	c.head.prev, c.head.next = &c.head, &c.head
}

func (c *cache) get(key []byte) *cached {
	e := c.keys[string(key)]
	if e != nil && c.head.next != e {
		e.unlink()
		c.front(e)
	}
	return e
}

func (c *cache) add(key []byte) *cached {
	e := &cached{key: string(key)}
	c.keys[e.key] = e
	c.front(e)
	c.resize(e)
	return e
}

func (c *cache) front(e *cached) {
	e.prev, e.next = &c.head, c.head.next
	e.prev.next, e.next.prev = e, e
}

func (e *cached) unlink() { e.prev.next, e.next.prev = e.next, e.prev }

func (c *cache) remove(e *cached) {
	e.unlink()
	delete(c.keys, e.key)
	c.bytes -= e.bytes
}

func (c *cache) resize(e *cached) {
	n := cachedOverhead + len(e.key) + e.k.Size()
	c.bytes += n - e.bytes
	e.bytes = n
}

// evict makes room; call it when nothing is dirty.
func (c *cache) evict() {
	for c.bytes > c.budget && c.head.prev != &c.head {
		c.remove(c.head.prev)
	}
}
