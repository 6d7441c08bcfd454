// Command latency measures how long it takes from an event to its alert at a constant rate.
//
//	go run ./bench/latency                                  real Kafka of its own, 20,000 events/s for a minute
//	go run ./bench/latency -rate 40000 -duration 5m
//	go run ./bench/latency -kafka kfake -rate 2000          in-process broker: no measure of anything but change
//	go run ./bench/latency -brokers 127.0.0.1:9092 -bin bin/tocsin -set processor.transaction_time=50ms
//
// Generated events are sent on a schedule that nothing slows down: event i is due i/rate after the start. Among them
// are probes, principals of their own whose third denied action makes an alert of unauthorized-access. The latency of
// a probe is the time from when that action was due, not from when it was sent, to when a read-committed consumer of
// the alerts topic was given the alert: time that an event waits because sender, broker or processor fall behind counts
// in full. The processor runs in a process of its own with all built-in rules. Warm-up is left out of all figures, but
// its probes must be found as well: exit status 1 if an alert is missing or comes twice.
//
// A rate that is not held is said to be so: when less than 99 % of it could be sent, or when more than a second's worth
// of events waits at the end. The latencies of such a run grow with its duration and mean nothing else.
//
// Times of events are those of the schedule. At night (UTC) they are twelve hours back, for off-hours-access would make
// an alert for everybody, and figures would depend on the hour.
package main
