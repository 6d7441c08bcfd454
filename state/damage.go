package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// What is done about a disk that does not give back what was written to it. Every block has a checksum, so damage is
// noticed when it is read, by a partition or by a compaction.
//
//   - A read of a partition fails with ErrDamaged, and so does every one after it: the partition has no position from
//     then on, and a full restore takes out all it had, the damaged blocks with it. The other partitions go on.
//   - A compaction that fails says only which table it was. All partitions are read through at the next tick of Run,
//     and those that cannot be read are damaged.
//   - What cannot be laid at one partition's door (a table that is missing, a manifest that cannot be read, a block
//     that two partitions share) makes the whole store unusable: with Config.SetAside the next Open puts it aside and
//     begins with an empty one.

// brokenMark is a file that says the store is not to be opened any more: it was left by a wipe that failed.
const brokenMark = "BROKEN"

// asideDir is where the files of a store that cannot be used are put.
const asideDir = "damaged"

// corrupt says whether an error means damage on disk.
func corrupt(err error) bool { return pebble.IsCorruptionError(err) }

// corrupted is told by Pebble of every damaged block it meets. A compaction that failed is tried again at once, so this
// is said once until the next scan.
func (s *Store) corrupted(info pebble.DataCorruptionInfo) {
	s.corruptions.Add(1)
	if s.suspect.Swap(true) {
		return
	}
	s.cfg.Log.Error("state on disk is damaged", "file", info.Path, "keys", info.Bounds.String(), "error",
		fmt.Sprint(info.Details))
}

// noteDamage remembers that a partition cannot be read, until it is restored in full.
func (s *Store) noteDamage(p Partition, err error) {
	s.mu.Lock()
	known := s.damaged[p] != nil
	if !known {
		s.damaged[p] = err
		s.damages++
	}
	l := s.leases[p]
	s.mu.Unlock()
	if l != nil {
		l.damaged.Store(true)
	}
	if !known {
		s.cfg.Log.Error("the state of a partition is damaged; it is restored in full from the changelog",
			"partition", p.String(), "error", err)
	}
}

func (s *Store) damage(p Partition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damaged[p]
}

// Damage says what is wrong with the partition's state on disk; nil: nothing that is known. A damaged partition has no
// position: restore it in full.
func (l *Lease) Damage() error { return l.s.damage(l.p) }

// checked notes an error that means damage, and makes ErrDamaged of it.
func (l *Lease) checked(err error) error {
	if err == nil || !corrupt(err) || errors.Is(err, ErrDamaged) {
		return err
	}
	l.s.noteDamage(l.p, err)
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// wipe takes out all that a damaged partition has on disk, so that nobody meets the damaged blocks again: neither a
// read nor a compaction. It is durable at once.
func (l *Lease) wipe() error {
	if err := l.live(); err != nil {
		return err
	}
	if err := l.s.enter(); err != nil {
		return err
	}
	defer l.s.exit()
	err := l.locked(func() error {
		l.pos, l.hasPos = Position{}, false
		at, ok, err := l.s.progress(l.p)
		span := pebble.KeyRange{Start: prefix(l.p, 0), End: prefix(l.p, 0xFF)}
		if err := l.s.checkEdges(span); err != nil {
			return err
		}
		if err := l.s.db.Excise(context.Background(), span); err != nil { // Pebble uses it for tracing alone
			return err
		}
		if err == nil && ok {
			l.s.removeRuns(at.runs)
		}
		return nil
	})
	if err != nil && corrupt(err) {
		return l.s.breakDown(err)
	}
	if err != nil {
		return fmt.Errorf("wipe: %w", err)
	}
	l.damaged.Store(false)
	l.s.mu.Lock()
	delete(l.s.damaged, l.p)
	l.s.mu.Unlock()
	return nil
}

// checkEdges reads what lies next to a span that is to be excised. Pebble (v2.1.7) does not look at the error when it
// finds out where the rest of a table begins and ends: if it cannot read the block at the edge, it takes the rest for
// empty, and the neighbouring partition is gone without a word.
func (s *Store) checkEdges(span pebble.KeyRange) error {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	it.SeekLT(span.Start)
	err = it.Error()
	if err == nil {
		it.SeekGE(span.End)
		err = it.Error()
	}
	return errors.Join(err, it.Close())
}

// breakDown gives the whole store up: the next Open is not to use it.
func (s *Store) breakDown(err error) error {
	err = fmt.Errorf("%w: %w", ErrBroken, err)
	f, markErr := s.cfg.FS.Create(s.path(brokenMark), "tocsin-restore")
	if markErr == nil {
		markErr = errors.Join(f.Sync(), f.Close())
	}
	s.cfg.Log.Error("the state cannot be mended partition by partition; restart the process: all of it is put aside and "+
		"restored from the changelog", "error", err)
	return errors.Join(err, markErr)
}

func (s *Store) anyDamaged() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.damaged) > 0
}

// openable refuses a store that was given up.
func (s *Store) openable() error {
	if _, err := s.cfg.FS.Stat(s.path(brokenMark)); err == nil {
		return ErrBroken
	}
	return nil
}

// scan reads every partition through, because a compaction has met damage.
func (s *Store) scan() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.exit()
	infos, err := s.Partitions()
	if err != nil {
		switch {
		case !corrupt(err):
			return err
		case s.anyDamaged():
			s.suspect.Store(true) // perhaps it is that partition's, which will be taken out: look again
			return nil
		}
		return s.breakDown(err)
	}
	for _, i := range infos {
		p := i.Partition
		err := s.iterate(prefix(p, 0), prefix(p, 0xFF), func([]byte, []byte) error { return nil })
		if err != nil && corrupt(err) {
			s.noteDamage(p, err)
		}
	}
	return nil
}

// unusable says whether an error of opening means that the files are damaged: Pebble marks only some of them.
func unusable(err error) bool {
	if corrupt(err) || errors.Is(err, ErrBroken) {
		return true
	}
	text := err.Error()
	for _, part := range []string{
		"malformed manifest", "object size mismatch", "unknown to the objstorage provider", "is not pristine",
	} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// setAside moves the files of the store into a folder within its own, in place of those that were put there before: the
// store's folder may be a mount point, which cannot be renamed.
func setAside(cfg *Config) (string, error) {
	aside := cfg.FS.PathJoin(cfg.Dir, asideDir)
	if err := cfg.FS.RemoveAll(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("remove %s: %w", aside, err)
	}
	names, err := cfg.FS.List(cfg.Dir)
	if err != nil {
		return "", fmt.Errorf("list folder: %w", err)
	}
	if err := cfg.FS.MkdirAll(aside, 0o700); err != nil {
		return "", fmt.Errorf("make folder: %w", err)
	}
	for _, name := range names {
		if name == asideDir || name == "LOCK" {
			continue
		}
		if err := cfg.FS.Rename(cfg.FS.PathJoin(cfg.Dir, name), cfg.FS.PathJoin(aside, name)); err != nil {
			return "", fmt.Errorf("move %s: %w", name, err)
		}
	}
	return aside, nil
}
