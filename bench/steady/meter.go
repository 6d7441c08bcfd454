package steady

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"tocsin/bench/run"
)

// reading is what had been done and used at a moment.
type reading struct {
	at       time.Time
	judged   int64         // records committed
	waiting  int64         // records in the topic that are not
	measured time.Duration // CPU time of the processor,
	broker   time.Duration // of the broker when it is ours,
	own      time.Duration // and of this process: sender, reader and, with kfake, the broker
	all      time.Duration // of everything on the machine
	stolen   time.Duration // CPU time that the machine's host gave to others
}

// meter takes readings.
type meter struct {
	adm        *kadm.Client
	app, input string
	pid        int // of the processor
	broker     int // its process, 0: not ours
}

func (m *meter) read(ctx context.Context) (reading, error) {
	measured, broker := run.ReadMachine(m.pid), run.ReadMachine(m.broker)
	r := reading{at: time.Now(), measured: measured.Process, broker: broker.Process,
		own: run.ReadMachine(os.Getpid()).Process, all: measured.All, stolen: measured.Stolen}
	judged, err := m.judged(ctx)
	if err != nil {
		return r, err
	}
	ends, err := m.adm.ListEndOffsets(ctx, m.input)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return r, fmt.Errorf("end offsets of %s: %w", m.input, err)
	}
	r.judged = judged
	ends.Each(func(o kadm.ListedOffset) { r.waiting += o.Offset })
	r.waiting = max(0, r.waiting-judged)
	return r, nil
}

// judged is the number of records that the processor has committed.
func (m *meter) judged(ctx context.Context) (n int64, err error) {
	committed, err := m.adm.FetchOffsets(ctx, m.app)
	if err == nil {
		err = committed.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("committed offsets of %s: %w", m.app, err)
	}
	committed.Each(func(o kadm.OffsetResponse) {
		if o.Topic == m.input && o.At > 0 {
			n += o.At
		}
	})
	return n, nil
}

// usage is what was done and used from the end of the warm-up to the end of the schedule.
type usage struct {
	begin, end reading
	most       int64 // records that waited at most
}

// errBehind ends a run that need not go on.
var errBehind = errors.New("too many events wait")

// follow reads at the begin, each second and at the end, unless more events wait than are allowed; 0 allows any number.
func (m *meter) follow(ctx context.Context, begin, end time.Time, allowed int64) (usage, error) {
	var u usage
	for at := begin; ; at = earlier(at.Add(time.Second), end) {
		if !run.Pause(ctx, time.Until(at)) {
			return u, ctx.Err()
		}
		r, err := m.read(ctx)
		if err != nil {
			return u, err
		}
		if at.Equal(begin) {
			u.begin = r
		}
		u.end, u.most = r, max(u.most, r.waiting)
		if allowed > 0 && r.waiting > allowed {
			return u, errBehind
		}
		if !at.Before(end) {
			return u, nil
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
