package ingest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// readCloudTrail passes on every record of a CloudTrail file, mapped (see [MapCloudTrail]). The file is
// {"Records":[…]} or a bare array; it is read record by record, never whole.
func readCloudTrail(ctx context.Context, name string, r *bufio.Reader, limit int, emit func(Line) error) error {
	if bom, _ := r.Peek(3); bytes.Equal(bom, []byte("\xEF\xBB\xBF")) {
		if _, err := r.Discard(3); err != nil {
			return err
		}
	}
	budget := &budgetReader{r: r}
	budget.refill(limit)
	dec := json.NewDecoder(budget)
	if err := openRecords(dec); err != nil {
		return err
	}
	for index := int64(0); dec.More(); index++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		budget.refill(limit)
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return fmt.Errorf("record %d at byte %d: %w", index, dec.InputOffset(), noEOF(err))
		}
		value := MapCloudTrail(raw)
		line := Line{Value: value, Place: Place{File: name, Number: index, Record: true}, Length: int64(len(value))}
		if err := emit(line); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil { // the closing bracket
		return fmt.Errorf("at byte %d: %w", dec.InputOffset(), noEOF(err))
	}
	return nil
}

// openRecords reads up to and with the bracket that opens the records.
func openRecords(dec *json.Decoder) error {
	tok, err := dec.Token()
	if err != nil {
		return fmt.Errorf("not a CloudTrail file: %w", noEOF(err))
	}
	if tok == json.Delim('[') {
		return nil
	}
	if tok != json.Delim('{') {
		return fmt.Errorf(`not a CloudTrail file: it is neither {"Records":[…]} nor an array`)
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return fmt.Errorf("not a CloudTrail file: %w", noEOF(err))
		}
		if key != "Records" {
			var skipped json.RawMessage
			if err := dec.Decode(&skipped); err != nil {
				return fmt.Errorf("not a CloudTrail file: %w", noEOF(err))
			}
			continue
		}
		if tok, err = dec.Token(); err != nil {
			return fmt.Errorf("not a CloudTrail file: %w", noEOF(err))
		}
		if tok != json.Delim('[') {
			return fmt.Errorf(`not a CloudTrail file: "Records" is no array`)
		}
		return nil
	}
	return fmt.Errorf(`not a CloudTrail file: it has no "Records"`)
}

// noEOF makes an end of the text in the middle of it an error that says so.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// budgetReader bounds what one record may take, since the JSON decoder buffers a whole one.
type budgetReader struct {
	r    io.Reader
	left int
	max  int
}

// refill allows limit further bytes beyond what the decoder may have read ahead.
func (b *budgetReader) refill(limit int) { b.left, b.max = limit, limit }

func (b *budgetReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("a record has more than %d bytes", b.max)
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
