package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/topics"
)

// Config of a run.
type Config struct {
	Options
	Client *kgo.Client // made with [ClientOptions]
	Topic  string
	Info   TopicInfo
	Key    topics.KeyTemplate
	Signer *Signer // nil: nothing is signed
	// Historic gives records the time of their events instead of the present (see [TopicInfo.CheckHistoric], which the
	// caller has asked), and ends with a tick in every partition.
	Historic bool
	// TickAfter is how far behind the last record time the closing ticks are: longest cooldown + grace + 1 s. A tick is
	// never later than now, for it would move record time ahead of the present.
	TickAfter time.Duration
	// Progress is called now and then, from the goroutine of Run; nil for never.
	Progress func(Progress)
}

// Progress of a run.
type Progress struct {
	Phase string // "reading" or "sending"
	Done  int64  // lines
	Total int64  // 0: not known
}

// Result of a run.
type Result struct {
	Read    int64 // lines and records, blank lines left out
	Sent    int64 // acknowledged by the broker
	Signed  int64
	Undated int64 // no time could be read: they lie where the line before lies
	Refused int64 // not sent: larger than the topic takes
	// Refusals are the first of those refused, at most maxRefusals.
	Refusals []Refusal
	Oldest   time.Time // event time
	Newest   time.Time
	Ticks    int64
	TickTime time.Time // record time of the closing ticks
	// TickEarly: the ticks had to be written at the present, before all timers are due.
	TickEarly bool
	Written   *Offsets // of everything sent
}

// Refusal is a line that was not sent, and why.
type Refusal struct {
	Place Place
	Err   error
}

const maxRefusals = 20

// progressEvery is how many lines pass between two calls of Progress.
const progressEvery = 1000

// Run reads the files, sorts unless told otherwise, sends, and returns when the broker has acknowledged everything. An
// error means that not all was sent; the result says how much was.
func Run(ctx context.Context, cfg Config, files []string, stdin io.Reader) (*Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &sender{
		cfg: cfg, cancel: cancel,
		stamp: stamper{now: cfg.Now().UnixNano()},
		res:   &Result{Written: NewOffsets()},
		acks:  make(chan ack, 1024),
		idle:  make(chan struct{}),
	}
	go s.collect()
	err := s.run(ctx, files, stdin)
	flushErr := cfg.Client.Flush(ctx)
	if flushErr != nil {
		// Records still buffered would be sent, and acknowledged to a reader that has gone.
		flushErr = errors.Join(flushErr, cfg.Client.AbortBufferedRecords(context.WithoutCancel(ctx)))
	}
	close(s.acks)
	<-s.idle
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause // the broker's refusal, rather than what it led to
	}
	if err == nil {
		err = flushErr
	}
	if err == nil && cfg.Historic && s.res.Sent > 0 {
		err = s.tick(ctx)
	}
	return s.res, err
}

// sender is the state of one Run.
type sender struct {
	cfg    Config
	cancel context.CancelCauseFunc
	stamp  stamper
	event  topics.Event
	key    []byte
	total  int64
	sent   int64 // handed to the client

	res  *Result
	acks chan ack
	idle chan struct{}
}

// ack is the broker's answer to one record.
type ack struct {
	partition int32
	offset    int64
	place     Place
	err       error
}

func (s *sender) run(ctx context.Context, files []string, stdin io.Reader) (err error) {
	var d dater
	if s.cfg.FileOrder {
		return Read(ctx, files, stdin, s.cfg.Options, func(l Line) error {
			s.res.Read++
			return s.send(ctx, d.date(l))
		})
	}
	sort := newSorter(s.cfg.SortBytes, s.cfg.TempDir)
	defer func() { err = errors.Join(err, sort.close()) }()
	err = Read(ctx, files, stdin, s.cfg.Options, func(l Line) error {
		s.res.Read++
		s.progress("reading", s.res.Read, 0)
		return sort.add(d.date(l))
	})
	if err != nil {
		return err
	}
	s.total = s.res.Read
	return sort.each(func(l dated) error { return s.send(ctx, l) })
}

func (s *sender) progress(phase string, done, total int64) {
	if s.cfg.Progress != nil && done%progressEvery == 0 {
		s.cfg.Progress(Progress{Phase: phase, Done: done, Total: total})
	}
}

// send hands one line to the client; what becomes of it comes back as an ack.
func (s *sender) send(ctx context.Context, l dated) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	s.note(l)
	if l.Length > int64(len(l.Value)) {
		s.acks <- ack{place: l.Place, err: fmt.Errorf("%w: it has %d bytes", errTooLarge, l.Length)}
		return nil
	}
	r := &kgo.Record{Topic: s.cfg.Topic, Value: l.Value}
	if s.cfg.Historic {
		at := s.stamp.stamp(l)
		if err := s.checkRetention(l, at); err != nil {
			return err
		}
		r.Timestamp = time.Unix(0, at)
	}
	// Fields are read even of what is refused for another fault, so that it lies beside the events of its principal.
	reason, _ := s.event.Decode(l.Value, nil, readLimits)
	s.key = s.cfg.Key.Append(s.key[:0], &s.event)
	r.Key = append([]byte(nil), s.key...)
	if s.cfg.Signer != nil && reason == topics.ReasonNone {
		var done bool
		if r.Value, done = s.cfg.Signer.Sign(&s.event, l.Value); done {
			s.res.Signed++
		}
	}
	place := l.Place
	s.cfg.Client.Produce(ctx, r, func(r *kgo.Record, err error) {
		s.acks <- ack{partition: r.Partition, offset: r.Offset, place: place, err: err}
	})
	s.sent++
	s.progress("sending", s.sent, s.total)
	return nil
}

func (s *sender) note(l dated) {
	if l.event == 0 {
		s.res.Undated++
		return
	}
	t := time.Unix(0, l.event).UTC()
	if s.res.Oldest.IsZero() || t.Before(s.res.Oldest) {
		s.res.Oldest = t
	}
	if t.After(s.res.Newest) {
		s.res.Newest = t
	}
}

// checkRetention refuses history that the broker would delete, perhaps before it is judged.
func (s *sender) checkRetention(l dated, at int64) error {
	keep := s.cfg.Info.Retention
	if keep < 0 || l.sort == minTime || s.stamp.now-at <= int64(keep) {
		return nil
	}
	return fmt.Errorf("%s has the time %s, but topic %s keeps records for %s (retention.ms) only and the broker would"+
		" delete it soon, judged or not: set retention.ms=-1 on the topic for the time of the run",
		l.Place, time.Unix(0, at).UTC().Format(time.RFC3339), s.cfg.Topic, keep)
}

// tick writes the closing tick of every partition.
func (s *sender) tick(ctx context.Context) error {
	at := s.stamp.last + int64(s.cfg.TickAfter)
	if at > s.stamp.now {
		at, s.res.TickEarly = s.stamp.now, true
	}
	records := make([]*kgo.Record, 0, s.cfg.Info.Partitions)
	for p := range s.cfg.Info.Partitions {
		records = append(records, &kgo.Record{
			Topic: s.cfg.Topic, Partition: p, Timestamp: time.Unix(0, at),
			Headers: []kgo.RecordHeader{{Key: topics.HeaderTick, Value: []byte("1")}},
		})
	}
	for _, r := range s.cfg.Client.ProduceSync(ctx, records...) {
		if r.Err != nil {
			return fmt.Errorf("write the closing tick of partition %d: %w", r.Record.Partition, r.Err)
		}
		s.res.Written.Add(r.Record.Partition, r.Record.Offset)
		s.res.Ticks++
	}
	s.res.TickTime = time.Unix(0, at).UTC()
	return nil
}
