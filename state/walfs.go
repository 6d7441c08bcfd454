package state

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// kernelWAL is a file system on which a sync of a write-ahead log hands the data to the kernel and no further.
//
// Pebble writes a record to its log file only when a whole 32 KiB block is full, or when a commit asks for a sync.
// Committing without sync would keep the last block in the process, and a kill would lose it. So every commit asks for
// a sync, for which Pebble writes all it has with write(2), and this file system leaves out the fsync that follows.
//
// When a log is complete it is synced for real: Pebble takes a log that is not the last one for corrupt if it ends
// uncleanly, so a machine that lost its page cache could not open the store. That is one fsync per memtable.
type kernelWAL struct{ vfs.FS }

func (fs kernelWAL) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.wrap(name)(fs.FS.Create(name, category))
}

func (fs kernelWAL) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.wrap(newname)(fs.FS.ReuseForWrite(oldname, newname, category))
}

// Unwrap gives tools that look for the file system below the chance to find it.
func (fs kernelWAL) Unwrap() vfs.FS { return fs.FS }

func (fs kernelWAL) wrap(name string) func(vfs.File, error) (vfs.File, error) {
	return func(f vfs.File, err error) (vfs.File, error) {
		if err != nil || !strings.HasSuffix(name, ".log") {
			return f, err
		}
		return &walFile{File: f}, nil
	}
}

// walFile is a write-ahead log that is being written.
type walFile struct{ vfs.File }

func (f *walFile) Sync() error { return nil }

func (f *walFile) SyncData() error { return nil }

func (f *walFile) SyncTo(int64) (fullSync bool, err error) { return false, nil }

func (f *walFile) Close() error {
	if err := f.File.SyncData(); err != nil {
		_ = f.File.Close() // the first error is the one that counts
		return err
	}
	return f.File.Close()
}
