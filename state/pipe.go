package state

// pipe lets a second goroutine work on one thing while the next is being made: two of them go round.
type pipe[T any] struct {
	work, free chan T
	done       chan struct{}
	err        error // of fn; read after done
	closed     bool
}

// newPipe starts the goroutine, which calls fn for everything sent. It ends with close, or with fn's first error.
func newPipe[T any](spare T, fn func(T) error) *pipe[T] {
	p := &pipe[T]{work: make(chan T), free: make(chan T, 1), done: make(chan struct{})}
	p.free <- spare
	go func() {
		defer close(p.done)
		for t := range p.work {
			if p.err = fn(t); p.err != nil {
				return
			}
			p.free <- t
		}
	}()
	return p
}

// send hands over what is full and takes what is free. It waits while fn is busy, and returns fn's error.
func (p *pipe[T]) send(full T) (free T, err error) {
	select {
	case p.work <- full:
		return <-p.free, nil // there is one: the goroutine takes no work before it has given back
	case <-p.done:
		return free, p.err
	}
}

// close waits for the goroutine and returns its error.
func (p *pipe[T]) close() error {
	if !p.closed {
		p.closed = true
		close(p.work)
	}
	<-p.done
	return p.err
}
