package simulate

import (
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Loss is what a crash leaves of a disk.
type Loss uint8

// The losses. A killed process leaves all it has written; a machine that goes down leaves what was synced, and of the
// rest nothing, or some blocks and directory entries but not others.
const (
	Kept Loss = iota
	Lost
	Torn
)

func (l Loss) String() string {
	return [...]string{"page cache kept", "page cache lost", "torn tail"}[l]
}

// disk is a process's disk: in memory, with a page cache that can be lost, and as slow as the plan wants it.
type disk struct {
	*vfs.MemFS
	loss Loss         // the worst that it has been through: what was lost may not have been restored yet
	mu   sync.RWMutex // held for writing while an image is taken: what is written is in it, or is not
	slow atomic.Int64 // nanoseconds that each write takes
}

func newDisk() *disk { return &disk{MemFS: vfs.NewCrashableMem()} }

// crash gives the disk as it is found after a crash at this moment. Whoever still writes to the old one does it in
// vain.
func (d *disk) crash(loss Loss, rng *rand.Rand) (*disk, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	config := vfs.CrashCloneCfg{RNG: rng}
	switch loss {
	case Kept:
		config.UnsyncedDataPercent = 100
	case Torn:
		config.UnsyncedDataPercent = 20 + rng.IntN(70)
	case Lost:
	}
	image := &disk{MemFS: d.CrashClone(config), loss: max(loss, d.loss)}
	if loss != Kept {
		return image, nil
	}
	return image, d.removeExtra(image, "/")
}

// removeExtra removes from the image what the disk has no more. The clone brings back files whose removal had not been
// synced, which is right for a machine that went down and wrong for a process that was killed.
func (d *disk) removeExtra(image *disk, dir string) error {
	names, err := image.List(dir)
	if err != nil {
		return fmt.Errorf("list image: %w", err)
	}
	for _, name := range names {
		full := path.Join(dir, name)
		info, err := d.Stat(full)
		switch {
		case err != nil:
			if err := image.RemoveAll(full); err != nil {
				return fmt.Errorf("clean image: %w", err)
			}
		case info.IsDir():
			if err := d.removeExtra(image, full); err != nil {
				return err
			}
		}
	}
	return nil
}

// wait is where a slow disk takes its time: writing tables, and before each batch and flush (see process.reach). Not in
// the write-ahead log: Pebble holds locks over it, and a goroutine that waits for a lock keeps virtual time from
// passing.
func (d *disk) wait() {
	if t := time.Duration(d.slow.Load()); t > 0 {
		time.Sleep(t)
	}
}

func (d *disk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.wrap(name)(d.MemFS.Create(name, category))
}

func (d *disk) OpenReadWrite(
	name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (vfs.File, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.wrap(name)(d.MemFS.OpenReadWrite(name, category, opts...))
}

func (d *disk) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.wrap(newname)(d.MemFS.ReuseForWrite(oldname, newname, category))
}

func (d *disk) OpenDir(name string) (vfs.File, error) { return d.wrap(name)(d.MemFS.OpenDir(name)) }

func (d *disk) Link(oldname, newname string) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.MemFS.Link(oldname, newname)
}

func (d *disk) Rename(oldname, newname string) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.MemFS.Rename(oldname, newname)
}

func (d *disk) Remove(name string) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.MemFS.Remove(name)
}

func (d *disk) Lock(name string) (io.Closer, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.MemFS.Lock(name)
}

func (d *disk) wrap(name string) func(vfs.File, error) (vfs.File, error) {
	return func(f vfs.File, err error) (vfs.File, error) {
		if err != nil {
			return nil, err
		}
		return &file{File: f, disk: d, name: name}, nil
	}
}

// file is an open file that is written.
type file struct {
	vfs.File
	disk *disk
	name string
}

func (f *file) wait() {
	if strings.HasSuffix(f.name, ".sst") {
		f.disk.wait()
	}
}

func (f *file) Write(b []byte) (int, error) {
	f.wait()
	f.disk.mu.RLock()
	defer f.disk.mu.RUnlock()
	return f.File.Write(b)
}

func (f *file) WriteAt(b []byte, at int64) (int, error) {
	f.wait()
	f.disk.mu.RLock()
	defer f.disk.mu.RUnlock()
	return f.File.WriteAt(b, at)
}

func (f *file) Sync() error {
	f.wait()
	f.disk.mu.RLock()
	defer f.disk.mu.RUnlock()
	return f.File.Sync()
}

func (f *file) SyncData() error { return f.Sync() }

func (f *file) SyncTo(int64) (fullSync bool, err error) { return true, f.Sync() }
