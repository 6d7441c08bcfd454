// Command recover measures how soon processes are at work: after a crash, a stop, the loss of their state, the loss of
// a neighbour, or for the first time; and what the sink and an idle process take.
//
//	go run ./bench/recover restore -keys 1000000 -rounds 3 -report bench/results
//	go run ./bench/recover restore -peer streams           beside a Kafka Streams program as well (make kstreams)
//	go run ./bench/recover takeover -session 10s
//	go run ./bench/recover cold
//	go run ./bench/recover sink -alerts 100000
//	go run ./bench/recover idle -duration 5m
//
// What is measured is the built program, in processes of its own, with a real Kafka broker and, for the sink, a real
// PostgreSQL. Nothing is timed by sleeping: a process is ready when /readyz says so, a partition is being processed
// when the group has committed an event of it that came after the process was gone, an alert is there when a
// read-committed consumer has it, or the database.
//
// Each scenario writes its figures as package report does. What must hold is asserted, and the exit status is 1 where
// it does not: a process that was killed reads no more of the changelog than its last two transactions wrote, and
// nothing from the start; one without state reads a record of every key; everything that was to be stored is stored.
package main
