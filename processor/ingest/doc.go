// Package ingest writes audit events from files to the input topic: JSON lines or CloudTrail files, from paths, folders
// or standard input, plain or gzip.
//
// What it guarantees: every line and every CloudTrail record that was read is either sent, with its bytes untouched but
// for a hash and a signature if asked for, or counted as refused with its place and the cause; nothing is dropped
// silently, and what is not an event is sent too, so that it ends in the dead letters. Events are sorted by event time
// (stable) unless told otherwise, with bounded memory: beyond a limit sorted runs go to temporary files. Records are
// keyed as the detection expects them (see [topics.KeyTemplate]) and partitioned as Kafka's own clients do.
//
// What the caller must do: give a connected client made with [ClientOptions], and pass the clock. The package reads no
// configuration and logs nothing; it reports through [Result] and a progress callback.
//
// The verdicts on the events are the processor's. [Verdicts] reads them from what the processor wrote and says plainly
// where it cannot tell.
package ingest
