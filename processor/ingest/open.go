package ingest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Stdin is the path that means standard input.
const Stdin = "-"

// List expands paths to the files to be read: a file stands for itself; of a folder, the files below it whose names end
// in .json, .jsonl, .ndjson or .log, plain or with .gz behind, in ascending byte order of their paths. A folder without
// such a file is an error, for it is more likely a typing mistake than a wish.
func List(paths []string) ([]string, error) {
	var files []string
	for _, p := range paths {
		if p == Stdin {
			files = append(files, p)
			continue
		}
		info, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("read input: %w", err)
		}
		if !info.IsDir() {
			files = append(files, p)
			continue
		}
		found, err := listFolder(p)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("read input: folder %s holds no file named *.json, *.jsonl, *.ndjson or *.log"+
				" (or one of these with .gz): name the files", p)
		}
		files = append(files, found...)
	}
	return files, nil
}

func listFolder(dir string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(strings.ToLower(d.Name()), ".gz")
		switch filepath.Ext(name) {
		case ".json", ".jsonl", ".ndjson", ".log":
			if !d.IsDir() {
				found = append(found, path)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read input: %w", err)
	}
	slices.Sort(found)
	return found, nil
}

// Read passes every line of the files to emit, in order. stdin is read for the path [Stdin].
func Read(ctx context.Context, files []string, stdin io.Reader, o Options, emit func(Line) error) error {
	for _, f := range files {
		if err := readFile(ctx, f, stdin, o, emit); err != nil {
			return err
		}
	}
	return nil
}

func readFile(ctx context.Context, path string, stdin io.Reader, o Options, emit func(Line) error) error {
	name, in := path, stdin
	if path == Stdin {
		name = "stdin"
	} else {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("read input: %w", err)
		}
		defer f.Close() //nolint:errcheck // read only: nothing is lost
		in = f
	}
	buf := bufio.NewReaderSize(in, 256<<10)
	if head, _ := buf.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(buf)
		if err != nil {
			return fmt.Errorf("read %s: gzip: %w", name, err)
		}
		buf = bufio.NewReaderSize(z, 256<<10)
	}
	format := o.Format
	if format == "" || format == FormatAuto {
		format = detect(buf)
	}
	var err error
	switch format {
	case FormatCloudTrail:
		err = readCloudTrail(ctx, name, buf, o.MaxLineBytes, emit)
	case FormatJSONLines:
		err = readLines(ctx, name, buf, o.MaxLineBytes, emit)
	default:
		err = fmt.Errorf("format %q is none of auto, jsonl, cloudtrail", format)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read %s: the file ends too early, it may have been cut while it was copied: %w", name, err)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// detect tells a CloudTrail file by its first bytes: an array, or an object whose first key is Records.
func detect(r *bufio.Reader) Format {
	head, _ := r.Peek(256)
	head = bytes.TrimPrefix(head, []byte("\xEF\xBB\xBF"))
	head = bytes.TrimLeft(head, " \t\r\n")
	if bytes.HasPrefix(head, []byte("[")) {
		return FormatCloudTrail
	}
	if rest, ok := bytes.CutPrefix(head, []byte("{")); ok {
		if bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(`"Records"`)) {
			return FormatCloudTrail
		}
	}
	return FormatJSONLines
}
