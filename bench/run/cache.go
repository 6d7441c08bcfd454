package run

import (
	"io/fs"
	"os"
)

// DropCached writes the files of a folder to the disk and asks the system to forget them, so that who reads them next
// reads the disk. On systems that cannot be asked it does the first alone.
func DropCached(folder string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // it was only read
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := root.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // it was only read
		if err := f.Sync(); err != nil {
			return err
		}
		return forget(f)
	})
}
