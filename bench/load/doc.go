// Command load measures the whole job beside a bare loop that consumes, decodes and verifies the same topic.
//
//	go run ./bench/load                                   real Kafka of its own, 2 million events, two rounds of each
//	go run ./bench/load -kafka kfake -records 200000      in-process broker
//	go run ./bench/load -brokers 127.0.0.1:9092 -check    a running cluster; compares the alerts with the oracle
//	go run ./bench/load -cpuprofile job.pprof             profile of the last round of the job
//	go run ./bench/load -peer streams -records 4000000    beside a Kafka Streams program as well (make kstreams)
//	go run ./bench/load -loop consume -loop write         beside more bare loops: the limits of what can be had
//	go run ./bench/load -bin new -other old               two builds of tocsin, in turn
//	go run ./bench/load -report bench/results             writes the result down, as JSON and as a page
//
// It fills a topic with generated events and then, in turn, runs in a process of its own (A) the processor with all
// built-in rules and (B) the bare loop: transactional sessions that consume, decode, check SHA-256 and HMAC and commit
// offsets each 100 ms, and produce nothing. Each run begins with new state and a new group and ends when the group has
// committed the end of the topic. CPU seconds and the largest resident size are those of the measured process alone,
// start and stop included (the stop in CPU seconds only). The steady rate leaves out the time to the first commit; warm
// figures are those of the second half of the events.
//
// With -loop each round has more bare loops: consume looks at no record and commits without transactions; write does
// what the bare loop does, writes 300 bytes into a changelog for each key of a transaction, and keeps nothing.
//
// With -peer streams each round has a third run (C), of the Kafka Streams program in bench/peers/kstreams, measured in
// the same way. Look at its warm figures, for a Java machine compiles during the first half. A run of the peer whose
// warm rate is below 0.22 of the bare loop's in its round is marked void and left out of the ratios. With -check, job
// and peer first run over a topic of their own without second deliveries, late, malformed or false events: the same
// rules and keys must fire by both and by the oracle.
package main
