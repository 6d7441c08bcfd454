// Package readlog reads stretches of topics as committed, whoever owns them: a changelog to its end, what was set
// aside since a moment, an input again. Consumers that go on for ever are not its business.
//
// What the package guarantees: every committed record of a range is passed on once, in offset order within its
// partition, and reading ends only when the position has passed the range's end, whatever stands there (control
// records and aborted ones take up offsets too). A read that stands still ends with [ErrStalled] instead of waiting for
// ever. The same log gives the same records: a batch that cannot be decompressed within [MaxDecompress] is the same one
// for every reader.
//
// What the caller must do: take the range from [Bounds], whose upper end is the high watermark. The last stable offset
// will not do: a transaction's markers reach its partitions one by one, and a read to the last stable offset would
// leave out what is committed elsewhere already.
package readlog
