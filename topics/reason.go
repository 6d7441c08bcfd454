package topics

// Reason says why a record was set aside in the dead letters. It is the value of the header tocsin-reason, a metric
// label and a column of coverage records; the order of the constants is part of the coverage format: append only.
type Reason uint8

// The reasons, in the order in which the checks are made (the first that applies is the one reason).
const (
	ReasonNone           Reason = iota // the record was not set aside
	ReasonTooLarge                     // value over Limits.MaxBytes
	ReasonDecompress                   // the batch could not be decompressed: one dead letter for its offset range
	ReasonInvalidUTF8                  // the value is not UTF-8
	ReasonNotJSON                      // the value is not one JSON object
	ReasonTooDeep                      // nested deeper than Limits.MaxDepth
	ReasonAmbiguousField               // a critical field occurs twice
	ReasonMissingField                 // timestamp, action or status is absent
	ReasonBadType                      // a field is of the wrong JSON type or outside its list of values
	ReasonBadTimestamp                 // not RFC 3339, or outside 1700–2261
	ReasonTampered                     // the stated hash is not the event's
	ReasonForged                       // the hash is right, the signature is not
	ReasonUnverifiable                 // the key or the algorithm is unknown
	ReasonUnsigned                     // neither hash nor signature where the policy requires one
	ReasonHashOnly                     // no signature where the policy requires one
	ReasonFuture                       // more than the allowed skew ahead of record time
	ReasonLate                         // more than grace behind the key's clock
	ReasonInternal                     // the program failed on this record: a bug, reported as one
	NumReasons
)

var reasonNames = [NumReasons]string{
	"none", "too_large", "decompress", "invalid_utf8", "not_json", "too_deep", "ambiguous_field", "missing_field",
	"bad_type", "bad_timestamp", "tampered", "forged", "unverifiable", "unsigned", "hash_only", "future", "late",
	"internal",
}

// String gives the name used in headers, metrics and tables.
func (r Reason) String() string {
	if r < NumReasons {
		return reasonNames[r]
	}
	return "unknown"
}

// ParseReason is the inverse of [Reason.String]; ok is false for a name that is not one of ours.
func ParseReason(name string) (r Reason, ok bool) {
	for i, n := range reasonNames {
		if n == name {
			return Reason(i), true
		}
	}
	return ReasonNone, false
}

// Headers of a dead letter. The value and the key are those of the original record, untouched.
const (
	HeaderReason          = "tocsin-reason"           // Reason.String
	HeaderError           = "tocsin-error"            // one line: what, where, what to do
	HeaderOriginTopic     = "tocsin-origin-topic"     // name
	HeaderOriginPartition = "tocsin-origin-partition" // decimal
	HeaderOriginOffset    = "tocsin-origin-offset"    // decimal, or first-last for a range
	HeaderOriginTimestamp = "tocsin-origin-timestamp" // record time, Unix milliseconds
	HeaderFullLength      = "tocsin-full-length"      // only when the value was cut: bytes of the original
	HeaderFullSHA256      = "tocsin-full-sha256"      // only when the value was cut: hex digest of the original
	HeaderKeyLength       = "tocsin-key-length"       // only when the key was cut: bytes of the original
	HeaderKeySHA256       = "tocsin-key-sha256"       // only when the key was cut: hex digest of the original
	HeaderDroppedHeaders  = "tocsin-dropped-headers"  // only when headers did not fit: how many were left out
	HeaderTick            = "tocsin-tick"             // marks a tick: a record that moves record time and is no event
)
