// Package replay judges a stretch of the input topic again, with the production engine, beside a running system.
//
// What it guarantees: it belongs to no consumer group, commits nothing and writes to no topic; the alerts go to a
// writer, the state to a folder of its own. The same records, rules and keys give the same alerts as the live
// processor but for their mode, and, from the beginning of the topic, the same digest of the state: it proves a state
// from the log. Its memory is bounded: the state is applied every ApplyEvery records.
//
// What the caller must do: give it an empty folder and remove that afterwards, and an engine of mode replay whose
// topic is the one replayed. Alerts come partition by partition, in the order of their numbers, so that two replays
// of the same stretch give the same bytes.
package replay
