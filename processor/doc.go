// Package processor is the loop around the engine: it reads the input topic, has every record judged exactly once,
// and writes what came of it. Read the files in the order of a record's way:
//
//	processor.go    New and Run; startup.go checks the cluster; members.go names this process
//	worker.go       one client, its partitions, its transactions; client.go has the options
//	assign.go       partitions come and go; partition.go is one of them; status.go is what others see of it
//	restore.go      a partition is brought up to date; stall.go explains, seal.go compares, count.go looks whether it
//	                was added
//	standby.go      partitions of other processes are kept near the end; standby_follow.go is one of them
//	latest.go       where a partition begins that leaves out what is there
//	poll.go         records come in; probe.go measures a batch that cannot be read
//	judge.go        records go through the engine; prepare.go shares the stateless part among cores
//	transaction.go  one transaction from begin to its outcome; output.go and deadletter.go make the records
//	session.go      the transaction as Kafka sees it; outcome.go says what became of it
//	apply.go        the store follows; keying.go watches where records lie; trace.go tells of it all as a span
//	offsets.go      what an operator can do about a stopped partition: offsets_apply.go does it, offsets_replay.go puts a
//	                state in place that was judged again from the input
//	point.go        the places at which tests kill or hold up the loop
//
// # The transaction
//
//	poll → begin → [prepare → advance → step]* → changes, seals, alerts, dead letters → end
//	   committed → one batch in the store → publish
//	   aborted   → drop, rebuild the partitions from the store, go back to the committed offsets
//	   unknown   → drop, close the client, restore what is missing from the changelog
//
// What holds:
//
//  1. Kafka first, store second. The store is never ahead of the changelog; a crash leaves it behind by what had been
//     committed and not applied, and a restore reads exactly that.
//  2. The input offset a transaction commits is the Next of the seal it writes: one variable. After a restore they
//     must be equal, or the partition stops.
//  3. Nothing is concluded from a lost answer. Committed means that the broker said so; aborted means that the commit
//     was never asked for, or refused for good, and that the group's stable offsets are those of before; everything
//     else is unknown.
//  4. A transaction without input offsets is never committed: the group's generation, which goes with the offsets, is
//     what keeps out a member that has lost its partitions and does not know it.
//  5. Nothing is polled from the end of a transaction to its outcome, and what is polled belongs to the transaction
//     that is open or to the next ones before the following poll.
//  6. A record below what has been judged in this assignment is never judged: the partition stops.
//  7. When timers do not fit into one transaction, those that fired are committed with the offset still before the
//     record that made them due, and a seal that says so; the next transaction goes on.
//
// # Why not the client's GroupTransactSession
//
// The loop drives the client's transactions itself and sends its own TxnOffsetCommit. GroupTransactSession is good
// code, but it decides some things that must be decided here:
//
//   - It commits whatever was polled. Here a transaction may end between two records of one poll (limits, timers),
//     and has to end at an offset that was never polled (behind a batch that cannot be read). Its hook for changing
//     the request leaves its own book-keeping wrong: after an abort it would go on behind records that were never
//     judged.
//   - It answers (false, nil), "not committed", when an EndTxn was answered UNKNOWN_SERVER_ERROR, although the broker
//     may have committed. Here every such answer is unknown.
//   - It commits under the member's generation at the end of the transaction, and relies on callbacks to learn of a
//     rebalance. Here the generation is noted when the transaction begins, right after the poll, and the broker
//     refuses any other. A member without generation commits nothing: the broker would take that from anybody.
//   - A rebalance between two transactions makes it abort the next one.
//
// What it does beyond that is not needed: its heartbeat before EndTxn guards against brokers that let a new owner
// read offsets while a transaction has some pending, which Kafka does not do since 2.5 (KIP-447: require_stable). A
// commit that is under way when the member loses its partitions is safe, because the new owner waits for its outcome.
//
// # Non-obvious
//
//   - Rebalances are blocked from a poll that returned until the turn is over. So callbacks never run while the
//     worker works, and leases are released in them without any further lock.
//   - A paused partition's records are thrown away by the client and fetched again; one that is resumed waits for the
//     fetch under way. FetchMaxWait is short for this reason.
//   - EndTransaction returns nil without asking the broker when no record was acknowledged. end refuses to take that
//     for a commit.
//   - The client's own commit state is never updated, and never used but to see whether it knows a partition, and where
//     it stands. One whose offset AdjustFetchOffsetsFn gave counts as known and committed there.
//   - Close waits for a rebalance that is under way, which waits for members that are closing. shut cuts that short.
//   - A static member that closes does not leave: its partitions wait for it for a session timeout. That is meant: a
//     restart causes no rebalance.
//   - Members go on judging while the group rebalances. A transaction that began under the generation before is then
//     refused and its records come again: about one abort per worker and rebalance. To commit under the new
//     generation instead would be wrong: the client joins again by itself after the group has expelled it, and the
//     partitions may have been somebody else's in between.
//   - A coordinator can drop the markers of a transaction that it ends while a partition has no leader (seen with a
//     single broker that was killed, or taken for dead: "likely deleted already and hence can be skipped"). The records
//     there stay open for ever. Restores wait, and name the transaction; what was torn apart, the seal check finds.
//   - A partition whose state cannot be read from the disk any more is no stop: its transaction is aborted, and it is
//     restored in full while the others go on. Only when the damage cannot be limited to partitions it stops, and the
//     next start puts the whole store aside.
//   - Partitions that were added have neither seal nor offset, like those of a new application. Whether others have
//     tells them apart (checkCount).
//   - A standby holds leases of partitions that nobody in this process owns. take, in the callback, only notes that one
//     is owned now; the restore's goroutine then waits until the lease is free (yield).
//   - A producer that is fenced may have been fenced by the broker (its transaction took too long) or by another
//     process of the same name. Only the group can tell: replaced asks it.
package processor
