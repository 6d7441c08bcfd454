package ingest

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

var errTooLarge = errors.New("larger than the topic takes (max.message.bytes)")

// collect takes the broker's answers until acks is closed. A line too large is counted, any other failure ends the run.
func (s *sender) collect() {
	defer close(s.idle)
	for a := range s.acks {
		switch {
		case a.err == nil:
			s.res.Sent++
			s.res.Written.Add(a.partition, a.offset)
		case errors.Is(a.err, errTooLarge), errors.Is(a.err, kerr.MessageTooLarge), errors.Is(a.err, kerr.RecordListTooLarge):
			s.res.Refused++
			if len(s.res.Refusals) < maxRefusals {
				err := a.err
				if !errors.Is(err, errTooLarge) {
					err = errTooLarge
				}
				s.res.Refusals = append(s.res.Refusals, Refusal{Place: a.place, Err: err})
			}
		default:
			s.cancel(fmt.Errorf("send %s: %w", a.place, a.err))
		}
	}
}
