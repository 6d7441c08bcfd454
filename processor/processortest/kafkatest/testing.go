package kafkatest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// startWithin bounds a start, which is slow when other tests keep all cores busy.
const startWithin = 5 * time.Minute

// shared is the broker of this test program. It is global because the program is what it belongs to.
var shared struct {
	sync.Mutex

	broker *Broker
}

// TestingM is what *testing.M and goleak have in common.
type TestingM interface{ Run() int }

// Main runs a package's tests, ends the shared broker and exits.
func Main(m TestingM) { os.Exit(Wrap(m).Run()) }

// Wrap returns an m whose Run also ends the shared broker, for use with goleak.
func Wrap(m TestingM) TestingM { return wrapped{m} }

type wrapped struct{ TestingM }

func (w wrapped) Run() int {
	code := w.TestingM.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.broker == nil {
		return code
	}
	broker := shared.broker
	shared.broker = nil
	if err := broker.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "kafkatest:", err)
		return max(code, 1)
	}
	return code
}

// Shared returns the broker of this test program, starting it at the first call. Tests keep apart by names of topics,
// groups and transactions, and leave it running. If the test fails, the end of the broker's log is printed.
func Shared(t testing.TB) *Broker {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.broker == nil {
		shared.broker = start(t, Config{Patient: true})
	}
	printLogOnFailure(t, shared.broker)
	return shared.broker
}

// Start starts a broker for this test alone and ends it afterwards. If the test fails, the end of its log is printed.
func Start(t testing.TB, cfg Config) *Broker {
	t.Helper()
	b := start(t, cfg)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	printLogOnFailure(t, b)
	return b
}

func start(t testing.TB, cfg Config) *Broker {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	b, err := StartBroker(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func printLogOnFailure(t testing.TB, b *Broker) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of Kafka's log:\n%s", b.LogTail())
		}
	})
}
