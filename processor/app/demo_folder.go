package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"tocsin/processor/app/hospital"
	"tocsin/processor/embedded"
)

// Files of a demo's folder, beside what `run --embedded` makes.
const (
	demoMark     = "DEMO"        // says that the folder is a demo's and may be emptied; locked while one runs
	demoSettings = "tocsin.yaml" // settings of the network
	demoSecret   = "hmac.secret" // what its events are signed with
)

// demoFolder is where a demo keeps what it makes.
type demoFolder struct {
	path string // absolute
	lock *os.File
}

func (d *demoFolder) file(name string) string { return filepath.Join(d.path, name) }

// openDemoFolder makes the folder, or empties that of a former demo, and claims it.
func openDemoFolder(dir string) (*demoFolder, error) {
	named := dir != ""
	if !named {
		dir = filepath.Join("data", "demo")
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	err = os.MkdirAll(path, 0o755) //nolint:gosec // the database's user must get through; secrets have modes of their own
	if err == nil {
		err = embedded.Reachable(path)
	}
	switch {
	case err != nil && named:
		return nil, fmt.Errorf("demo: --dir %s: %w", dir, err)
	case err != nil:
		if path, err = os.MkdirTemp("", "tocsin-demo-"); err == nil {
			err = os.Chmod(path, 0o711) //nolint:gosec // passing through shows nothing
		}
		if err != nil {
			return nil, fmt.Errorf("demo: %w", err)
		}
	}
	d := &demoFolder{path: path}
	if err := d.claim(); err != nil {
		return nil, err
	}
	if err := d.empty(); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// claim locks the folder for as long as the demo runs. A folder that holds something else is no demo's.
func (d *demoFolder) claim() error {
	if _, err := os.Stat(d.file(demoMark)); errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(d.path)
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		if len(entries) > 0 {
			return Usagef("%s holds files that are not a demo's: name another folder with --dir", d.path)
		}
	}
	var err error
	if d.lock, err = os.OpenFile(d.file(demoMark), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := syscall.Flock(int(d.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("a demo is running in %s: stop it, or name another folder with --dir (%w)", d.path, err)
		return errors.Join(err, d.close())
	}
	return nil
}

// empty removes what a former demo left.
func (d *demoFolder) empty() error {
	if err := embedded.Free(filepath.Join(d.path, "embedded", "postgres")); err != nil {
		return err
	}
	entries, err := os.ReadDir(d.path)
	for _, e := range entries {
		if err == nil && e.Name() != demoMark {
			err = os.RemoveAll(d.file(e.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("empty the folder of the former demo: %w", err)
	}
	return nil
}

func (d *demoFolder) close() error { return d.lock.Close() }

// secret makes what events are signed with.
func (d *demoFolder) secret() ([]byte, error) {
	secret := []byte(rand.Text() + rand.Text())
	if err := os.WriteFile(d.file(demoSecret), secret, 0o600); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	return secret, nil
}

// settings writes the configuration file.
func (d *demoFolder) settings(day *hospital.Day) error {
	text := fmt.Sprintf(`# Settings of the demo's hospital network, to take from; deploy/config.example.yaml
# explains every setting, and
#   tocsin run --embedded --config %[1]s
# goes on where the demo stopped.
app: {data_dir: %[2]q}

# Every event is signed by the system it comes from; here they all share a secret.
verify: {hmac_secret_file: %[3]q}

%[4]s`, filepath.Join(d.path, demoSettings), d.path, d.file(demoSecret), day.Settings())
	err := os.WriteFile(d.file(demoSettings), []byte(text), 0o644) //nolint:gosec // nothing in it is secret
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}
