package window

// Change is one changelog record of a key: the full new value of a part, or its tombstone. Never a delta, so that
// applying it twice is harmless.
type Change struct {
	Suffix  []byte   // which part: see topics.AppendHead, AppendChunk and AppendEvidence
	Value   []byte   // the encoded part; nil is a tombstone
	NewHash [32]byte // topics.ChangeHash of the record; zero for a tombstone
	OldHash [32]byte // topics.ChangeHash of the live record that is replaced or removed, when HadOld
	HadOld  bool     // a live record is replaced or removed
}

// Index is what the store keeps beside the head to find keys by time. It is derived from the head alone, so that a
// restore rebuilds it from the changelog.
type Index struct {
	Due       int64 // record time after which the next timer of the key fires, Unix ns; 0: none
	LastWrite int64 // record time of the last write, Unix ns
}
