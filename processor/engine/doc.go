// Package engine judges records: it decodes, verifies, keeps the windows and finds what must be said. It is the pure
// heart of the processor, used unchanged by live processing, replay and the tests.
//
// What the package guarantees:
//
//  1. Every record gets exactly one verdict: judged, duplicate, set aside with one reason, or tick. The order of the
//     checks is decode, verify, quarantine, future, key and clock, late, duplicate, rules; the first that applies is
//     the reason.
//  2. The same records in the same order, with the same rules and keys, give the same alerts, byte for byte, wherever
//     transactions begin and end and however often the state is reloaded.
//  3. A record that is set aside touches no window and moves no clock but record time.
//
// What the caller must do, per partition and in offset order: Prepare the record (in parallel with others if it likes);
// Advance to the record's time until that says done; Step. At the end of a transaction write what Changes and
// SealFields give and the Effects say, in one Kafka transaction; then Committed. When the transaction did not commit,
// throw the Partition away and build a new one from the store.
//
// The package is pure: no clock, randomness, goroutines or I/O; state is loaded through Loader. An Engine is immutable
// and safe for concurrent use, a Partition is not.
package engine
