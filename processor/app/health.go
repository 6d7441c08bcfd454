package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"

	"tocsin/processor/live"
)

// HealthOptions of [Health].
type HealthOptions struct {
	Address string        // host:port; empty: http.listen
	Live    bool          // ask only whether it is alive, not whether it is ready
	Timeout time.Duration // of each question
}

// HealthReport is how a running process fares.
type HealthReport struct {
	Address    string   `json:"address"`
	Status     string   `json:"status"` // OK, WARNING or FAILING
	Alive      bool     `json:"alive"`
	Ready      *bool    `json:"ready,omitempty"` // nil: it was not asked, or gave no answer
	Wrong      []string `json:"wrong"`           // sentences: what is wrong and what to do
	Warnings   []string `json:"warnings"`
	Workers    int      `json:"workers"`
	Partitions int      `json:"partitions"` // of the input, that this process judges
	Lag        int64    `json:"lag"`        // records not yet judged
	Unstored   int64    `json:"unstored"`   // alert revisions not yet stored
}

// OK says whether everything that was asked about is as it should be; warnings do not count.
func (r *HealthReport) OK() bool { return len(r.Wrong) == 0 }

// answered is the body of /healthz and /readyz as far as it is looked at; see condition.
type answered struct {
	Status    status   `json:"status"`
	Missing   []string `json:"missing"`
	Processor *struct {
		Joined     bool                `json:"joined"`
		Workers    int                 `json:"workers"`
		Partitions []answeredPartition `json:"partitions"`
		Warnings   []string            `json:"warnings"`
	} `json:"processor"`
	Sink *struct {
		OK       bool
		Since    time.Time
		Reason   string
		Evidence string
		Lag      int64
	} `json:"sink"`
	Live *live.Health `json:"live"`
}

type answeredPartition struct {
	Partition int32  `json:"partition"`
	State     string `json:"state"`
	Cause     string `json:"cause"`
	Detail    string `json:"detail"`
	Lag       int64  `json:"lag"`
	Restore   *struct {
		From  int64 `json:"from"`
		Next  int64 `json:"next"`
		Until int64 `json:"until"`
	} `json:"restore"`
}

// mostAnswer bounds the answer that is read: a thousand partitions take some 300 kB.
const mostAnswer = 16 << 20

// Health asks the process that runs with this configuration how it is. Whatever is wrong with it, that it does not
// answer included, is in the report and no error.
func Health(ctx context.Context, c *Config, o HealthOptions) (*HealthReport, error) {
	address := o.Address
	if address == "" {
		address = c.HTTP.Listen
	}
	if address == "" {
		return nil, Usagef("http.listen is empty: the process serves no health, there is nobody to ask")
	}
	address, err := reachable(address)
	if err != nil {
		return nil, err
	}
	r := &HealthReport{Address: address, Wrong: []string{}, Warnings: []string{}}
	client := &http.Client{Timeout: o.Timeout, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var a *answered
	if a, r.Alive = r.ask(ctx, client, "/healthz", o.Timeout); r.Alive && !o.Live {
		var ready bool
		if a, ready = r.ask(ctx, client, "/readyz", o.Timeout); a != nil {
			if r.Ready = &ready; !ready {
				r.wrong(a)
			}
		}
	}
	if a != nil {
		r.numbers(a)
	}
	r.Status = string(statusOK)
	switch {
	case !r.OK():
		r.Status = string(statusFailing)
	case len(r.Warnings) > 0:
		r.Status = string(statusWarning)
	}
	return r, ctx.Err()
}

// reachable is the address to ask of one to listen at: where all addresses of the machine are listened at, its own.
func reachable(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || !isPort(port) || port == "0" {
		return "", Usagef("%q is no address that can be asked: write host:port, like 127.0.0.1:9464 (http.listen, or"+
			" --address)", listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port), nil
}

func (r *HealthReport) fail(format string, args ...any) {
	r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...))
}

// ask asks one path. The answer is nil when there was none that could be read; fine is that its status code was 200.
func (r *HealthReport) ask(ctx context.Context, c *http.Client, path string, within time.Duration) (
	a *answered, fine bool,
) {
	u := url.URL{Scheme: "http", Host: r.Address, Path: path}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		r.fail("%s cannot be asked: %v.", u.String(), err)
		return nil, false
	}
	resp, err := c.Do(req)
	if err != nil {
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			r.fail("Nothing listens at %s: the process does not run, is still starting, or listens elsewhere (http.listen).",
				r.Address)
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
			r.fail("%s does not answer within %s: the process hangs, or the machine is overloaded.", r.Address, within)
		default:
			var failed *url.Error
			if errors.As(err, &failed) {
				err = failed.Err
			}
			r.fail("%s cannot be asked: %v.", r.Address, err)
		}
		return nil, false
	}
	defer resp.Body.Close() //nolint:errcheck // read only: nothing is lost
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if err != nil {
		r.fail("%s answers %s and breaks off: %v.", r.Address, path, err)
		return nil, false
	}
	a = new(answered)
	if err := json.Unmarshal(body, a); err != nil || a.Status == "" {
		r.fail("Somebody else listens at %s: %s is answered with %s and no condition (http.listen).", r.Address, path,
			resp.Status)
		return nil, false
	}
	if path == "/healthz" && resp.StatusCode != http.StatusOK {
		for _, m := range a.Missing {
			r.fail("The process is not well: %s. If that lasts, restart it.", m)
		}
	}
	return a, resp.StatusCode == http.StatusOK
}

// wrong says what keeps the process from being ready.
func (r *HealthReport) wrong(a *answered) {
	before := len(r.Wrong)
	if p := a.Processor; p != nil {
		if !p.Joined {
			r.fail("The consumer group has not given this process its partitions yet. After a start, or when another process" +
				" joins, that takes up to kafka.session_timeout; if it lasts, look at the brokers and the log.")
		}
		unknown := 0
		for i := range p.Partitions {
			r.partition(&p.Partitions[i])
			if p.Partitions[i].Lag < 0 {
				unknown++
			}
		}
		if unknown > 0 {
			r.fail("How far behind %d of %d partitions are is not known yet: the brokers have not said where they end.", unknown,
				len(p.Partitions))
		}
	}
	if s := a.Sink; s != nil && !s.OK {
		r.fail("Alerts are not being stored since %s: %s. They are kept in the alerts topic and stored when it is mended.",
			s.Since.UTC().Format(time.RFC3339), s.Reason)
	}
	if len(r.Wrong) == before {
		for _, m := range a.Missing {
			r.fail("Not ready: %s.", m)
		}
	}
	if len(r.Wrong) == before {
		r.fail("The process is not ready, and does not say why.")
	}
}

// partition says what is wrong with one partition of the input.
func (r *HealthReport) partition(p *answeredPartition) {
	switch {
	case p.State == "running":
	case p.Cause != "":
		detail := p.Detail
		if detail == "" {
			detail = "no detail is given"
		}
		r.fail("Partition %d is stopped (%s) and its events wait: %s. `tocsin offsets plan` shows the ways out.", p.Partition,
			p.Cause, detail)
	case p.Restore != nil && p.Restore.Until > p.Restore.From:
		more := ""
		if p.Detail != "" {
			more = "; it waits for " + p.Detail
		}
		r.fail("Partition %d is being restored: %d %% of its changelog is read%s. Nothing is to be done unless it"+
			" stands still.",
			p.Partition, 100*(p.Restore.Next-p.Restore.From)/(p.Restore.Until-p.Restore.From), more)
	case p.Detail != "":
		r.fail("Partition %d is %s: %s.", p.Partition, p.State, p.Detail)
	default:
		r.fail("Partition %d is %s.", p.Partition, p.State)
	}
}

// numbers takes over what weakens results, and how far behind the process is.
func (r *HealthReport) numbers(a *answered) {
	if p := a.Processor; p != nil {
		r.Warnings = append(r.Warnings, p.Warnings...)
		r.Workers, r.Partitions = p.Workers, len(p.Partitions)
		for i := range p.Partitions {
			r.Lag += max(p.Partitions[i].Lag, 0)
		}
	}
	if s := a.Sink; s != nil {
		r.Unstored = s.Lag
		if s.Evidence != "" {
			r.Warnings = append(r.Warnings, "evidence is not being copied at present: "+s.Evidence)
		}
	}
	if l := a.Live; l != nil && !l.OK {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the live numbers in Redis stand still since %s: %s. Nothing else is"+
			" affected; alerts are counted afterwards.", l.Since.UTC().Format(time.RFC3339), l.Reason))
	}
}
