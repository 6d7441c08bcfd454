// Package soak runs the built program under load for as long as wanted and does to it what operation does: processes
// are killed, paused beyond their session's end, stopped, leave and join; the broker and the database are restarted. A
// seed decides what happens to whom and when, as far as real processes on a real machine obey.
//
// [Run] starts a real Kafka broker, a real PostgreSQL, three processes of one application and a fourth that joins and
// leaves, offers a generated stream at a steady rate, and works through a [NewPlan]. What must hold in the end:
//
//   - alerts, in their topic and in the database, and dead letters are those of the oracle, and every record of the
//     input has exactly one verdict
//   - a process reads the whole changelog of a partition only the first time it gets that partition
//   - every other restore begins exactly at the position that the process had stored, and reads what the changelog has
//     from there on; of the process's own transactions at most two
//   - no partition stops, and no process ends that was not made to
//
// Two things are out of its reach. A broker that stands alone and goes while a transaction is ending may lose its end,
// so this one goes in order, and at a moment when none is. And the machine itself is not crashed: what the kernel was
// given, it keeps.
//
// [Upgrade] is the same with another thing happening: a rolling upgrade from one build to another, and from one format
// of the state to the next.
//
// [Storm] is apart from that: members of one group, in this process, of which one joins or leaves every two seconds.
package soak
