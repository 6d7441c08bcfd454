// Package simulate runs the processor, its store and a Kafka cluster in a bubble of virtual time, lets a seed decide
// what goes wrong, and checks what comes of it against a detector that knows no transactions, no restarts and no state.
//
//	plan.go      what a seed decides: shape, workload, crashes, stalls, requests that go wrong, moves of the cluster
//	points.go    the named places at which a process can be killed
//	workload.go  the input, with what the oracle needs to know of it
//	producer.go  how it is sent: in transactions of which some are aborted, with batches that cannot be read
//	run.go       one run, from the brokers' start to the checks
//	world.go     what is shared: traps that wait for a point to be reached, processes that are started again
//	wiring.go    requests that go wrong; moves.go has what happens at a time
//	process.go   one process; disk.go, network.go, request.go and database.go are what it stands on
//	tour.go      plans that lead to every point, for the matrix of crash points and losses
//	tally.go     how often each thing went wrong
//	check.go     what must hold; check_output.go and check_state.go have the two large parts
//	history.go   what happened, for the one who has to understand a failure
//
// What is real: the loop, the engine, the store with Pebble, the sink above its statements, the Kafka client and its
// wire protocol. What is not: the database is sink.Memory, which passes the same tests as Postgres; the brokers are
// kfake's, over an in-memory network; the disks are in memory and know what was synced; time is that of
// testing/synctest, which passes when every goroutine waits for it. A seed fixes all that is drawn and the virtual
// times, but not the order in which Go runs goroutines that are ready at the same instant.
//
// # Where kfake is not Kafka
//
//   - Transactions end at once: there is no moment at which the commit is decided and a partition has no marker yet.
//     Restores that have to wait for a marker are tested on a real broker.
//   - A log is never truncated.
//   - A transactional id keeps the time-out that it had first.
//   - A member whose connection ends while it waits for the group to form is never expelled. The world removes the
//     members of processes that it has stopped for good.
//
// # What virtual time asks for
//
// Time does not pass while a goroutine waits for a mutex. So nothing here sleeps where somebody else could hold a lock:
// slow disks are slow before batches and in tables, processes are held up at points of the loop and on the wire.
package simulate
