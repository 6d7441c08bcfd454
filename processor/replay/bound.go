package replay

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"tocsin/topics/readlog"
)

// Bound is one end of the stretch, in every partition: an offset, a time, or the beginning or end of the log. The
// zero value is the beginning.
type Bound struct {
	kind   boundKind
	offset int64
	at     time.Time
}

type boundKind uint8

const (
	beginning boundKind = iota
	end
	atOffset
	atTime
)

// Beginning and End are the bounds of the log. End is the last stable offset when the replay begins.
func Beginning() Bound { return Bound{} }

// End is the last stable offset when the replay begins.
func End() Bound { return Bound{kind: end} }

// At is an offset, in every partition.
func At(offset int64) Bound { return Bound{kind: atOffset, offset: offset} }

// ParseBound reads "beginning", "end", an offset, or a time (RFC 3339): the first record whose timestamp is not
// before it.
func ParseBound(s string) (Bound, error) {
	switch strings.ToLower(s) {
	case "", "beginning":
		return Beginning(), nil
	case "end":
		return End(), nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n < 0 {
			return Bound{}, fmt.Errorf("offset %d: offsets begin at 0", n)
		}
		return Bound{kind: atOffset, offset: n}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return Bound{}, fmt.Errorf("%q is neither beginning, end, an offset nor a time like 2026-03-02T12:00:00Z", s)
	}
	return Bound{kind: atTime, at: t}, nil
}

// String is the form that ParseBound reads.
func (b Bound) String() string {
	switch b.kind {
	case end:
		return "end"
	case atOffset:
		return strconv.FormatInt(b.offset, 10)
	case atTime:
		return b.at.Format(time.RFC3339Nano)
	}
	return "beginning"
}

// resolve turns the bounds into offsets, within what the log has now.
func resolve(ctx context.Context, adm *kadm.Client, topic string, from, to Bound) (map[int32]readlog.Range, error) {
	log, err := readlog.StableBounds(ctx, adm, topic)
	if err != nil {
		return nil, err
	}
	place := func(b Bound) (func(partition int32, start, end int64) int64, error) {
		switch b.kind {
		case beginning:
			return func(_ int32, start, _ int64) int64 { return start }, nil
		case end:
			return func(_ int32, _, end int64) int64 { return end }, nil
		case atOffset:
			return func(_ int32, start, end int64) int64 { return min(max(b.offset, start), end) }, nil
		}
		listed, err := adm.ListOffsetsAfterMilli(ctx, b.at.UnixMilli(), topic)
		if err == nil {
			err = listed.Error()
		}
		if err != nil {
			return nil, fmt.Errorf("look for %s in %s: %w", b, topic, err)
		}
		return func(partition int32, start, end int64) int64 {
			o, ok := listed.Lookup(topic, partition)
			if !ok || o.Offset < 0 {
				return end // nothing that late
			}
			return min(max(o.Offset, start), end)
		}, nil
	}
	first, err := place(from)
	if err != nil {
		return nil, err
	}
	last, err := place(to)
	if err != nil {
		return nil, err
	}
	stretches := make(map[int32]readlog.Range, len(log))
	for p, l := range log {
		s := readlog.Range{From: first(p, l.From, l.To), To: last(p, l.From, l.To)}
		s.To = max(s.From, s.To)
		stretches[p] = s
	}
	return stretches, nil
}
