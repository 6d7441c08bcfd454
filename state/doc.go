// Package state is what the processor remembers: one Pebble database per process that holds the windows of every
// partition the process owns or owned, each with the position in its changelog up to which it has been applied.
//
// What the package guarantees:
//
//  1. Data and position are written in one batch. Whatever crashes, the state of a partition is the exact result of a
//     prefix of its changelog, ending at a seal, and the position says which.
//  2. The write-ahead log is handed to the kernel before Apply returns, but not synced to disk. A killed process loses
//     nothing that was applied; a machine that loses its page cache falls back to an older exact prefix, at most
//     FlushEvery behind. A restore reads the rest from the changelog.
//  3. A partition has one holder at a time (a [Lease]). Apply checks the lease and writes in one critical section: a
//     stage whose lease is gone writes nothing at all and returns [ErrLeaseLost].
//  4. A restore never passes off part of a changelog as the whole. What it wrote is checked against the hashes in the
//     seals; a full restore that was interrupted is recognised and resumed or begun again.
//  5. Indexes (timers, expiry) are derived from the heads alone, in the batch that writes the head.
//  6. A restore takes over nothing that this build cannot read: it returns a topics.FormatError, and a build that can
//     goes on from where it was. Digests do not depend on the format that values are written in.
//
// What the caller must do, in this order:
//
//  1. Open the store, run [Store.Run] for the timed flush, and Acquire a lease for each partition assigned.
//  2. Restore the partition from its changelog (tail, or full where there is no usable position) and compare the last
//     seal with the group's committed offset.
//  3. For each transaction: NewStage; Change for every change, in order; Seal for every partition whose input offset
//     is committed; produce the records; commit in Kafka. Only when Kafka has said committed: Apply. In every other
//     case: Discard, and where the outcome is unknown restore again from the changelog. Kafka first, Pebble second.
//  4. Release the lease when the partition is revoked, and Close the store at the end.
//
// The package knows nothing of Kafka and reads no clock but the one it is given; positions carry wall time only to
// bound how old a state may be.
package state
