// Package sink stores the alerts topic in Postgres, and answers questions about what it stored.
//
// # What it guarantees
//
// Every committed revision in the alerts topic is either applied, recognised as one already known (its revision is not
// higher than the stored one), or set aside in alert_rejects with the reason, exactly once, whatever crashes,
// redelivers or takes over. This holds because the position in the topic lives in Postgres and moves in the SQL
// transaction that stores the alerts:
//
//  1. UPDATE sink_offsets SET next = $new WHERE topic_id, partition AND next = $expected, partitions in order. No row:
//     somebody else has moved it. Everything is rolled back and the position read again. This fence makes a second
//     sink, or one that woke up late, harmless.
//  2. The alerts are locked in the order of their ids; what is known of them decides which revisions are new.
//  3. Alerts are upserted where the revision is higher; one row of history and, for live alerts, one outbox row is
//     written per applied revision; the evidence of each is put in the queue of the copier.
//
// The consumer group only assigns partitions: nothing is ever committed to Kafka. On assignment the position is read
// from Postgres; a partition that is new there starts at the beginning of its log.
//
// # When something is wrong
//
// Postgres away, or anything else that may pass: the batch is tried again with growing pauses until it works or the
// context ends; [Sink.Health] says since when and why. Content that Postgres refuses (SQLSTATE classes 22, 23, 54):
// the batch is halved until the one record is found; that goes to alert_rejects and the rest go on. A topic that was
// deleted and made again, or that no longer reaches back to the position: Run ends with an error that names the ways
// out, because going on would lose alerts silently.
//
// # Evidence
//
// A second loop copies the records alerts rest on (key, headers, value) from their topics into alert_evidence, because
// topics expire and alerts do not. Its queue is that table, so it forgets nothing.
//
// # Roles
//
// Every statement runs as one of three roles (see the first migration), so row-level security applies to whoever logs
// in. The caller must have run [Migrate], and [Grant] for a login that did not run it.
package sink
