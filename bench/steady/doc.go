// Package steady measures how long it takes from an event to its alert at a constant rate, and what a process uses
// meanwhile: the processor with all its rules, or the Kafka Streams program of bench/peers in its place.
//
// Generated events are sent on a schedule that nothing slows down: event i is due i/rate after the start. Among them
// are probes, principals of their own whose third denied action makes an alert of unauthorized-access. The latency of
// a probe is the time from when that action was due, not from when it was sent, to when a read-committed consumer of
// the alerts topic was given the alert: time that an event waits because sender, broker or processor fall behind counts
// in full. What is measured runs in a process of its own. Warm-up is left out of all figures, but its probes must be
// found as well.
//
// A rate that is not held is said to be so ([Result.NotHeld]): when less than 99 % of it could be sent, or when more
// than a second's worth of events waits at the end. The latencies of such a run grow with its duration and mean nothing
// else.
//
// Times of events are those of the schedule. At night (UTC) they are twelve hours back, for off-hours-access would make
// an alert for everybody, and figures would depend on the hour.
//
// A program that measures must call [Child] before anything else, for it starts itself once more as the process to be
// measured.
package steady
