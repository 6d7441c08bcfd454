// Package window holds the state of one group key: the events counted for it, the sliding windows over them, and the
// episodes (alerts in the making) that the windows opened.
//
// Windows are true sliding windows over event time. A holding point of a rule with window W and threshold N is the time
// t of a match for which (t − W, t] holds at least N distinct matches. Holding points whose gaps are at most the
// cooldown form an episode; one episode is one alert.
//
// What the package guarantees:
//
//  1. The state is a function of the accepted events in their order and of the record times given with them: nothing is
//     read from a clock, and where transactions begin and end leaves no trace. Encoding and decoding a key between any
//     two events changes nothing.
//  2. While nothing is late and the key is below the cap (MaxEntries), spans and counts do not depend on the order of
//     arrival; ids may, as the crossing is the first holding point that was seen.
//  3. A key's parts are full values: the head (part 0), chunks of exactly ChunkSize entries written once, and one
//     evidence part per episode. A chunk that the head does not name does not exist.
//  4. A key can be loaded from parts of any format that this build reads, mixed as they come, and is written in the
//     format asked for (Scratch.Format). Canonical gives a part in the one format that digests are made over.
//
// What the caller must do, in this order, for each event of the key: ask Late, then Find, then call Accept. Timers are
// fired by Fire before the first record that passes them. At the end of a transaction Changes tells what must be
// written; Committed says that it was. A key whose transaction did not commit must be thrown away whole.
//
// The package is pure: no clock, randomness, goroutines or I/O. A Key is not safe for concurrent use.
package window
