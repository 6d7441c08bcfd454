package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"tocsin/bench/generate"
	"tocsin/bench/run"
	"tocsin/processor/processortest/ports"
)

const (
	kindJob     = "job"
	kindStreams = "streams"
)

// node is a process over all its lives: the program that is measured, or its peer.
type node struct {
	run.Processor

	w     *world
	kind  string
	name  string // of the instance
	http  string // address of the admin server; none of the peer
	env   []string
	lives int
	log   string       // of this life
	proc  *run.Process // nil: it does not run
}

// newNode makes a process of an application, which reads the topic of events input. It has the settings of the command
// line and then those of set.
func (w *world) newNode(ctx context.Context, kind, app, input, name string, set ...string) (*node, error) {
	listen, err := ports.FreeAddr(ctx)
	if err != nil {
		return nil, err
	}
	n := &node{w: w, kind: kind, name: name, http: listen}
	n.Processor = run.Processor{Brokers: w.cluster.Brokers, App: app, Input: input, Dir: w.folder(app + "-" + name),
		Key: string(generate.Default(1).Secret), CloseAfter: 100 * time.Millisecond}
	n.Set = append(n.Set, "app.instance="+name, "http.listen="+listen, "log.level=info", "log.format=json")
	n.Set = append(append(n.Set, w.set...), set...)
	w.nodes = append(w.nodes, n)
	return n, nil
}

// start begins a life. Its output goes to a file.
func (n *node) start(ctx context.Context) error {
	var cmd *exec.Cmd
	var err error
	if n.kind == kindStreams {
		cmd, err = n.StreamsCommand(ctx, n.w.peerSet)
	} else {
		cmd, err = n.Command(ctx, n.w.program, "")
	}
	if err != nil {
		return err
	}
	n.lives++
	n.log = filepath.Join(n.w.dir, fmt.Sprintf("%s-%s-%03d.log", n.App, n.name, n.lives))
	out, err := os.Create(n.log)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(cmd.Env, n.env...)
	n.proc, err = run.Start(cmd)
	_ = out.Close() // the process has its own
	if err != nil {
		return fmt.Errorf("start %s: %w", n.kind, err)
	}
	return nil
}

// ended is an error when a process that should run does not.
func (n *node) ended() error {
	if n.proc == nil {
		return nil
	}
	select {
	case err := <-n.proc.Ended:
		n.proc = nil
		return fmt.Errorf("%s %s: %w: %w; its log ends with:\n%s", n.kind, n.name, run.ErrEnded, err, n.tail())
	default:
		return nil
	}
}

// kill is kill -9.
func (n *node) kill() {
	if n.proc != nil {
		n.proc.Kill()
		n.proc = nil
	}
}

// stop asks the process to drain and end.
func (n *node) stop() error {
	err := n.proc.Stop()
	n.proc = nil
	if err != nil {
		return fmt.Errorf("stop %s %s: %w; its log ends with:\n%s", n.kind, n.name, err, n.tail())
	}
	return nil
}

// tail is the end of the log.
func (n *node) tail() string {
	const most = 3000
	b, err := os.ReadFile(n.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-most):])
}

// cpu is the CPU time that this life has had.
func (n *node) cpu() time.Duration { return run.ReadMachine(n.proc.PID).Process }

// condition is what the admin server says of the process.
type condition struct {
	OK        bool `json:"ok"`
	Processor struct {
		Partitions []struct {
			Partition int32  `json:"partition"`
			State     string `json:"state"`
		} `json:"partitions"`
		Standby []struct {
			State string `json:"state"`
			Lag   int64  `json:"lag"`
		} `json:"standby"`
	} `json:"processor"`
}

// ask asks the admin server for /healthz or /readyz.
func (n *node) ask(ctx context.Context, path string) (c condition, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.http+path, http.NoBody)
	if err != nil {
		return c, err
	}
	resp, err := n.w.web.Do(req)
	if err != nil {
		return c, err
	}
	err = json.NewDecoder(resp.Body).Decode(&c)
	return c, errors.Join(err, resp.Body.Close())
}

// running are the partitions that the process has and processes, and whether it is ready.
func (n *node) running(ctx context.Context) (ids []int32, ready bool, err error) {
	c, err := n.ask(ctx, "/readyz")
	if err != nil {
		return nil, false, err
	}
	for _, p := range c.Processor.Partitions {
		if p.State == "running" {
			ids = append(ids, p.Partition)
		}
	}
	return ids, c.OK, nil
}

// has says whether the process has been given all of the partitions, in whatever state.
func (n *node) has(ctx context.Context, partitions []int32) (bool, error) {
	c, err := n.ask(ctx, "/healthz")
	if err != nil {
		return false, err
	}
	given := map[int32]bool{}
	for _, p := range c.Processor.Partitions {
		given[p.Partition] = true
	}
	return !slices.ContainsFunc(partitions, func(id int32) bool { return !given[id] }), nil
}

// standbyAll makes a process follow the changelogs of the partitions of others.
const standbyAll = "processor.standby=all"

func (n *node) standby() bool { return slices.Contains(n.Set, standbyAll) }

// follows says whether the process has read the changelogs of all partitions of others to their end.
func (n *node) follows(ctx context.Context) (bool, error) {
	c, err := n.ask(ctx, "/healthz")
	if err != nil {
		return false, err
	}
	for _, s := range c.Processor.Standby {
		if s.State != "following" || s.Lag > 0 {
			return false, nil
		}
	}
	return len(c.Processor.Partitions)+len(c.Processor.Standby) == n.w.partitions, nil
}

// peak is the largest resident size of this life so far, in MiB.
func (n *node) peak() float64 { return mebibytes(run.PeakRSS(n.proc.PID)) }

// ready waits until the process says that it is.
func (n *node) ready(ctx context.Context) error {
	return n.w.until(ctx, n.name+" is ready", often, func() (bool, error) {
		c, err := n.ask(ctx, "/readyz")
		return c.OK, err
	})
}
