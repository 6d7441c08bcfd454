package ingest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
)

// readLines passes on every line that is not blank, without its line feed and otherwise untouched. A line over limit
// bytes is passed on cut, with its full length.
func readLines(ctx context.Context, name string, r *bufio.Reader, limit int, emit func(Line) error) error {
	var (
		value  []byte
		length int64
		number int64
	)
	flush := func() error {
		number++
		line := Line{Value: bytes.Clone(value), Place: Place{File: name, Number: number}, Length: length}
		blank := len(bytes.TrimSpace(value)) == 0
		value, length = value[:0], 0
		if blank {
			return nil
		}
		return emit(line)
	}
	for {
		part, err := r.ReadSlice('\n')
		full := errors.Is(err, bufio.ErrBufferFull)
		if err == nil {
			part = part[:len(part)-1]
		}
		length += int64(len(part))
		if room := limit - len(value); len(part) > room {
			part = part[:room]
		}
		value = append(value, part...)
		switch {
		case full:
			continue
		case errors.Is(err, io.EOF):
			if length == 0 {
				return nil
			}
			return flush()
		case err != nil:
			return err
		}
		if err := flush(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
