package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// maxFile bounds what is read, in bytes.
const maxFile = 64 << 20

// Write writes r as indented JSON. Equal results give equal bytes.
func Write(w io.Writer, r *Result) error {
	out := *r
	out.Version, out.Date = Version, r.Date.UTC().Truncate(time.Second)
	if err := out.Validate(); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(&out); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// Read reads what [Write] has written. Another version, unknown fields and values that make no sense are errors.
func Read(from io.Reader) (*Result, error) {
	b, err := io.ReadAll(io.LimitReader(from, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("read result: more than %d MiB", maxFile>>20)
	}
	// The version comes first: what else there is depends on it.
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	if head.Version != Version {
		return nil, fmt.Errorf("read result: version %d, and this program knows version %d only: use the program "+
			"of the commit that wrote it, or measure again", head.Version, Version)
	}
	var r Result
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	return &r, nil
}

// Load reads a result from a file.
func Load(path string) (*Result, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err // it names the path
	}
	defer func() { _ = f.Close() }() // it was only read
	r, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Save writes [Result.Name].json and .html into the folder, which it makes where it is not there, and gives the paths.
// It never writes over a file.
func Save(folder string, r *Result) (paths []string, err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // G301: results are there to be read
		return nil, err
	}
	var text, page bytes.Buffer
	if err := errors.Join(Write(&text, r), HTML(&page, r)); err != nil {
		return nil, err
	}
	for _, out := range []struct {
		ending string
		data   []byte
	}{{".json", text.Bytes()}, {".html", page.Bytes()}} {
		path := filepath.Join(folder, r.Name()+out.ending)
		if err := writeNew(path, out.data); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // G302: it is there to be read
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
