package simulate

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

var (
	errCut   = errors.New("the connection is cut")
	errFrame = errors.New("a frame of impossible length")
)

// maxFrame bounds a request or answer; the workload's are far smaller.
const maxFrame = 64 << 20

// link is a process's way to the brokers. It sees each request and each answer, can hold both back, and can be cut.
type link struct {
	network *kfake.VirtualNetwork
	watch   wire

	unwatched bool // nothing is looked at

	mu     sync.Mutex
	down   bool
	conns  map[*conn]struct{}
	paused chan struct{} // closed when the pause ends; nil: not paused
}

// wire is told of what passes a link.
type wire interface {
	// sending is called before a request is sent; cut: it is not, and its connection ends.
	sending(r *request) (cut bool)
	// sent is called when the broker has taken it.
	sent(r *request)
	// answered is called when the answer has come, before the client sees it. It may change it.
	answered(r *request, answer []byte) (changed []byte, fate fate)
}

// clean is a link on which nothing goes wrong, for the world itself.
func (w *world) clean() *link {
	return &link{network: &w.network, unwatched: true, conns: map[*conn]struct{}{}}
}

// fate is what becomes of an answer.
type fate uint8

const (
	deliver fate = iota
	lose         // it never arrives, nor does any other on this connection
	sever        // the connection ends
)

// dial connects to a broker; it is what the client gets as its dialer.
func (l *link) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	l.hold()
	l.mu.Lock()
	down := l.down
	l.mu.Unlock()
	if down {
		return nil, fmt.Errorf("dial %s: %w", addr, errCut)
	}
	inner, err := l.network.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: inner, link: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		_ = inner.Close() // that is the point
		return nil, fmt.Errorf("dial %s: %w", addr, errCut)
	}
	l.conns[c] = struct{}{}
	return c, nil
}

// cut ends all connections for good: from this moment nothing the process does can be seen.
func (l *link) cut() {
	l.mu.Lock()
	l.down = true
	conns := l.conns
	l.conns = map[*conn]struct{}{}
	l.mu.Unlock()
	for c := range conns {
		_ = c.Conn.Close() // that is the point
	}
}

// pause holds everything back until resume.
func (l *link) pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused == nil {
		l.paused = make(chan struct{})
	}
}

func (l *link) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused != nil {
		close(l.paused)
		l.paused = nil
	}
}

// hold waits while the process is paused.
func (l *link) hold() {
	for {
		l.mu.Lock()
		paused := l.paused
		l.mu.Unlock()
		if paused == nil {
			return
		}
		<-paused
	}
}

func (l *link) forget(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// conn is one connection. The client writes requests and reads answers on two goroutines.
type conn struct {
	net.Conn
	link *link

	out []byte // part of a request

	mu      sync.Mutex
	pending []*request // sent and not answered, in order

	in     []byte // part of an answer, with its length
	ready  []byte // an answer for the client
	silent bool   // answers are lost
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.link.forget(c)
	return c.Conn.Close()
}

// Write passes on whole requests.
func (c *conn) Write(b []byte) (int, error) {
	c.link.hold()
	if c.link.unwatched {
		return c.Conn.Write(b)
	}
	c.out = append(c.out, b...)
	for {
		frame, err := cutFrame(&c.out)
		if err != nil || frame == nil {
			return len(b), err
		}
		if err := c.send(frame); err != nil {
			return 0, err
		}
	}
}

func (c *conn) send(frame []byte) error {
	r := newRequest(frame[4:])
	if c.link.watch.sending(r) {
		_ = c.Close() // that is the point
		return errCut
	}
	c.mu.Lock()
	c.pending = append(c.pending, r)
	c.mu.Unlock()
	if _, err := c.Conn.Write(frame); err != nil {
		return err
	}
	c.link.watch.sent(r)
	return nil
}

// Read gives what came in answer.
func (c *conn) Read(b []byte) (int, error) {
	if c.link.unwatched {
		return c.Conn.Read(b)
	}
	for len(c.ready) == 0 {
		if err := c.receive(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

// receive reads until an answer is whole and sees what becomes of it. An error in between, as a deadline, leaves the
// part that was read for the next call.
func (c *conn) receive() error {
	frame, err := cutFrame(&c.in)
	for err == nil && frame == nil {
		var block [4096]byte
		var n int
		n, err = c.Conn.Read(block[:])
		c.in = append(c.in, block[:n]...)
		if err == nil {
			frame, err = cutFrame(&c.in)
		}
	}
	c.link.hold()
	if err != nil {
		return err
	}
	if c.silent {
		return nil
	}
	r := c.answers()
	if r == nil {
		return io.ErrUnexpectedEOF // an answer to nothing
	}
	answer, fate := c.link.watch.answered(r, frame[4:])
	switch fate {
	case lose:
		c.silent = true
	case sever:
		_ = c.Close() // that is the point
		return errCut
	case deliver:
		c.ready = append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...)
	}
	return nil
}

func (c *conn) answers() *request {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pending) == 0 {
		return nil
	}
	r := c.pending[0]
	c.pending = c.pending[1:]
	return r
}

// cutFrame takes a frame, its length included, from the front of b; nil while it is not whole.
func cutFrame(b *[]byte) ([]byte, error) {
	if len(*b) < 4 {
		return nil, nil
	}
	n := binary.BigEndian.Uint32(*b)
	switch {
	case n > maxFrame:
		return nil, errFrame
	case uint32(len(*b)-4) < n:
		return nil, nil
	}
	frame := (*b)[: 4+n : 4+n]
	*b = (*b)[4+n:]
	if len(*b) == 0 {
		*b = nil
	}
	return frame, nil
}
