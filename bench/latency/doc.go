// Command latency measures how long it takes from an event to its alert at one constant rate (see package steady).
//
//	go run ./bench/latency                                  real Kafka of its own, 20,000 events/s for a minute
//	go run ./bench/latency -rate 40000 -duration 5m
//	go run ./bench/latency -kafka kfake -rate 2000          in-process broker: no measure of anything but change
//	go run ./bench/latency -brokers 127.0.0.1:9092 -bin bin/tocsin -set processor.transaction_time=50ms
//	go run ./bench/latency -peer streams                    the Kafka Streams program, by the same probes (make kstreams)
//
// Exit status 1 if the alert of a probe, warm-up included, is missing or comes twice. Several rates in turn, and the
// highest that holds, are for bench/sweep.
package main
