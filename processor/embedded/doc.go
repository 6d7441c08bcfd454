// Package embedded runs the two services that Tocsin stands on beside the process itself: a PostgreSQL server from the
// binaries of the system, and an in-process broker that speaks Kafka's protocol. It serves first steps, the demo and
// tests; it is no way to run production: one broker without replicas, one database without a standby.
//
// Both listen on the loopback address alone. The database asks for a random password even there, since every user
// of the machine can reach that address; the broker asks for none, so whoever can log in to the machine can read
// and write its topics.
//
// The caller must stop what it started. Should the process die all the same, PostgreSQL is shut down by the kernel's
// death signal (Linux) and the broker dies with the process; both pick up their folders again at the next start.
package embedded
