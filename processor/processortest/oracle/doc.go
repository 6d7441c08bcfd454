// Package oracle says what the detection must answer, twice over and independently of the engine.
//
// [Naive] keeps every accepted event for ever and recomputes holding points and counts from the full set at each
// arrival: slow, and meant to be obviously right. [TwoPointer] is incremental, forgets what may be forgotten and takes
// millions of events; it shares no logic with Naive and is checked against it. [FinalSpans] and [FastSpans] know no
// arrival order at all: they say which spans and counts must stand in the end for a multiset of accepted matches.
//
// The oracles judge classified records: somebody else (the generator, which knows what it planted) has decided what a
// decoder and a verifier must say of each. They follow one partition each. They know no cap on retained matches: above
// it only ids and crossings can be compared (see [TwoPointer.Peak]).
//
// # Where forgetting can be seen
//
// Naive forgets nothing, TwoPointer does, and they agree: an accepted event lies at or after clock − grace, so every
// new holding point does too; windows that end there, and the range between two episodes that one holding point can
// join, lie within the retention W + cooldown + grace; and a closed episode that may be forgotten ended more than
// W + cooldown before the earliest new holding point. A second delivery that is not late repeats an event that is still
// retained, for the same canonical hash means the same event time. The last ten matches of an episode outlive their
// retention for its evidence. Two things do depend on forgetting, and both oracles take them from its definition: an id
// conflict (an older event under the same id with another time may be forgotten), and the absence of a key after its
// time to live.
package oracle
