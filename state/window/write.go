package window

import (
	"slices"

	"tocsin/topics"
)

// Scratch is reused between calls of Changes; the zero value is ready.
type Scratch struct {
	// Format is that of the values, as topics.WriteFormat gives it; 0 is topics.DefaultValueFormat. A part that has been
	// written is not written again because of it: the parts of one key may be of several formats.
	Format byte

	key, value, suffix []byte
}

// Dirty tells whether Changes has anything to say.
func (k *Key) Dirty() bool { return k.dirty }

// Changes visits what must be written since the last Committed: the head, new chunks, new evidence, tombstones. old is
// what the store's index has for the key's former head. What is visited is noted as written: call Committed when the
// transaction has committed, and throw the key away when it has not.
func (k *Key) Changes(groupKey []byte, grace int64, s *Scratch, visit func(old Index, c Change) error) error {
	if !k.dirty {
		return nil
	}
	if s.Format == 0 {
		s.Format = topics.DefaultValueFormat
	}
	s.key = append(s.key[:0], groupKey...)
	old := k.saved.index
	put := func(suffix, value []byte, was *saved) error {
		s.key = append(s.key[:len(groupKey)], suffix...)
		c := Change{Suffix: suffix, Value: value, OldHash: was.hash, HadOld: was.ok}
		if value != nil {
			c.NewHash = topics.ChangeHash(s.key, value)
		}
		was.ok, was.hash = value != nil, c.NewHash
		return visit(old, c)
	}
	s.suffix = topics.AppendHead(s.suffix[:0])
	switch {
	case k.live:
		now := Index{Due: k.Due(grace), LastWrite: k.lastWrite}
		s.value = k.appendHead(s.value[:0], s.Format, now)
		if err := put(s.suffix, s.value, &k.saved); err != nil {
			return err
		}
		k.saved.index = now
	case k.saved.ok:
		if err := put(s.suffix, nil, &k.saved); err != nil {
			return err
		}
		k.saved = saved{}
	}
	for i := range k.chunks {
		c := &k.chunks[i]
		if c.saved {
			continue
		}
		s.suffix = topics.AppendChunk(s.suffix[:0], uint32(c.number))
		s.value = appendPart(s.value[:0], s.Format, c.entries)
		was := k.replaced(s.suffix)
		if err := put(s.suffix, s.value, &was); err != nil {
			return err
		}
		c.saved, c.hash = true, was.hash
	}
	for _, e := range k.episodes {
		if e.evidenceSaved.ok {
			continue
		}
		s.suffix = topics.AppendEvidence(s.suffix[:0], e.ID)
		s.value = appendPart(s.value[:0], s.Format, e.evidence)
		was := k.replaced(s.suffix)
		if err := put(s.suffix, s.value, &was); err != nil {
			return err
		}
		e.evidenceSaved = was
	}
	for i := range k.dropped {
		p := &k.dropped[i]
		if err := put(p.suffix, nil, &saved{ok: true, hash: p.hash}); err != nil {
			return err
		}
	}
	k.dropped, k.dirty = k.dropped[:0], false
	return nil
}

// replaced takes a part out of those to be removed: a key that was cleared may write a part of the same name again in
// the same transaction.
func (k *Key) replaced(suffix []byte) (was saved) {
	for i := range k.dropped {
		if p := &k.dropped[i]; string(p.suffix) == string(suffix) {
			was = saved{ok: true, hash: p.hash}
			k.dropped = slices.Delete(k.dropped, i, i+1)
			break
		}
	}
	return was
}
