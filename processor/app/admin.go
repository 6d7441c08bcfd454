package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tocsin/processor"
	"tocsin/processor/ingest"
	"tocsin/processor/live"
	"tocsin/processor/sink"
	"tocsin/topics/readlog"
)

// admin serves /metrics, /healthz and /readyz.
//
//	/healthz  200 while the roles answer when asked how they are; 503 when one has not for a second: it hangs
//	/readyz   200 when every partition is running, none is being restored or stopped, all lags are known, and alerts are
//	          stored as they come; else 503. The body says what is missing.
//
// A warning changes the status in the body and not the answer's code: to restart the process would not mend it.
type admin struct {
	log       *slog.Logger
	registry  *prometheus.Registry
	processor func() processor.Health // nil: not this process's role
	sink      func() sink.Health
	live      func() live.Health
	// lag asks the cluster how far the group is behind; for partitions of which the processor does not know yet, since
	// they have had no record.
	lag func(context.Context) (map[int32]int64, error)
}

// condition is the body of both.
type condition struct {
	OK        bool              `json:"ok"`
	Status    status            `json:"status"`
	Missing   []string          `json:"missing,omitempty"`
	Processor *processor.Health `json:"processor,omitempty"`
	Sink      *sink.Health      `json:"sink,omitempty"`
	Live      *live.Health      `json:"live,omitempty"` // the numbers in Redis: nothing else depends on them
}

// status is a condition in one word.
type status string

const (
	statusOK      status = "OK"
	statusWarning status = "WARNING" // it works, and something weakens its results: see the warnings of the roles
	statusFailing status = "FAILING" // see what is missing
)

func (c *condition) status() status {
	switch {
	case !c.OK:
		return statusFailing
	case c.Processor != nil && len(c.Processor.Warnings) > 0:
		return statusWarning
	case c.Live != nil && !c.Live.OK:
		return statusWarning
	}
	return statusOK
}

// start begins to listen and returns the address; "" for none.
func (a *admin) start(ctx context.Context, listen string, cl *closers) (string, error) {
	if listen == "" {
		return "", nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return "", fmt.Errorf("http.listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { a.answer(w, r, a.alive) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { a.answer(w, r, a.ready) })
	s := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	cl.add("admin server", closeHTTP, func(ctx context.Context) error {
		err := s.Shutdown(ctx)
		if serveErr := <-done; !errors.Is(serveErr, http.ErrServerClosed) {
			err = errors.Join(err, serveErr)
		}
		return err
	})
	return l.Addr().String(), nil
}

// askFor is how long the roles may take to say how they are.
const askFor = time.Second

func (a *admin) answer(w http.ResponseWriter, r *http.Request, judge func(context.Context, *condition)) {
	ctx, cancel := context.WithTimeout(r.Context(), askFor)
	defer cancel()
	asked := make(chan condition, 1)
	go func() { asked <- a.ask() }()
	var c condition
	select {
	case c = <-asked:
		judge(ctx, &c)
	case <-ctx.Done():
		c.Missing = []string{"a role does not answer"}
	}
	c.OK = len(c.Missing) == 0
	c.Status = c.status()
	w.Header().Set("Content-Type", "application/json")
	if !c.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(c); err != nil {
		a.log.Debug("admin: answer not written", "error", err)
	}
}

func (a *admin) ask() condition {
	var c condition
	if a.processor != nil {
		h := a.processor()
		c.Processor = &h
	}
	if a.sink != nil {
		h := a.sink()
		c.Sink = &h
	}
	if a.live != nil {
		h := a.live()
		c.Live = &h
	}
	return c
}

func (*admin) alive(context.Context, *condition) {}

func (a *admin) ready(ctx context.Context, c *condition) {
	miss := func(format string, args ...any) { c.Missing = append(c.Missing, fmt.Sprintf(format, args...)) }
	if p := c.Processor; p != nil {
		if !p.Joined {
			miss("the group has not given every worker its partitions yet")
		}
		a.fillLag(ctx, p)
		unknown := 0
		for _, part := range p.Partitions {
			if part.State != processor.Running {
				miss("partition %d is %v", part.Partition, part.State)
			}
			if part.Lag < 0 {
				unknown++
			}
		}
		if unknown > 0 {
			miss("the lag of %d partitions is not known yet", unknown)
		}
		if !p.Ready && len(c.Missing) == 0 {
			miss("the processor is not ready")
		}
	}
	if s := c.Sink; s != nil && !s.OK {
		miss("alerts are not being stored: %s", s.Reason)
	}
}

// fillLag completes the lags that the processor does not know.
func (a *admin) fillLag(ctx context.Context, h *processor.Health) {
	var known map[int32]int64
	for i := range h.Partitions {
		p := &h.Partitions[i]
		if p.Lag >= 0 || p.State != processor.Running || a.lag == nil {
			continue
		}
		if known == nil {
			var err error
			if known, err = a.lag(ctx); err != nil {
				a.log.Debug("admin: lag not known", "error", err)
				return
			}
		}
		if lag, ok := known[p.Partition]; ok {
			p.Lag = lag
		}
	}
}

// groupLag gives, by partition of the input, how many offsets the group is behind.
func groupLag(ctx context.Context, cl *kgo.Client, c *Config) (map[int32]int64, error) {
	ends, err := readlog.Bounds(ctx, kadm.NewClient(cl), c.Topics.Input)
	if err != nil {
		return nil, err
	}
	committed, err := ingest.Committed(ctx, cl, c.App.ID, c.Topics.Input)
	if err != nil {
		return nil, err
	}
	lags := make(map[int32]int64, len(ends))
	for p, r := range ends {
		at, ok := committed[p]
		if !ok {
			at = r.From
		}
		lags[p] = max(r.To-at, 0)
	}
	return lags, nil
}
