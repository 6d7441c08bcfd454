package narrate

import "tocsin/topics"

// remedy is what a reason means, and what to do about it.
type remedy struct{ means, mend string }

const correct = "Correct the field that is named above, where the event is made, and send it again."

// remedies by reason. A test sees to it that none is missing.
var remedies = map[topics.Reason]remedy{
	topics.ReasonTooLarge: {"The record is larger than events may be.",
		"Send smaller events, or raise input.max_bytes and the topic's max.message.bytes."},
	topics.ReasonDecompress: {"The batch of records could not be decompressed.",
		"The batch is damaged or expands beyond the limit: have the producer send it again with another compression."},
	topics.ReasonInvalidUTF8: {"The record is not UTF-8 text.", "Have the producer encode events as UTF-8."},
	topics.ReasonNotJSON: {"The record is not one JSON object.",
		"Have the producer send one JSON object per record; the mark below shows where the text goes wrong."},
	topics.ReasonTooDeep: {"The event is nested deeper than events may be.",
		"Flatten the event, or raise input.max_depth."},
	topics.ReasonAmbiguousField: {"A field that matters occurs twice in the event.",
		"Two readers would see two events: have the producer write each field once."},
	topics.ReasonMissingField: {"A field that every event must have is missing.", correct},
	topics.ReasonBadType:      {"A field does not hold what it must hold.", correct},
	topics.ReasonBadTimestamp: {"The event's time cannot be read.",
		"Write the timestamp as RFC 3339, like 2026-03-02T12:00:00Z, where the event is made, and send it again."},
	topics.ReasonTampered: {"The event is not what was hashed.",
		"Find out who changed it between producer and topic; do not send it again before that. Its integrity alert names" +
			" the source. If every event of a producer ends here, it computes the hash differently."},
	topics.ReasonForged: {"The signature is not by the key it claims.",
		"Find out who writes with this source; its integrity alert names it. If every event of a producer ends here, it" +
			" signs with another secret."},
	topics.ReasonUnverifiable: {"The key or the algorithm that the event names is not known here.",
		"Make the key known (verify.hmac_key_id, verify.hmac_secret), or have the producer sign with one that is."},
	topics.ReasonUnsigned: {"The event has neither hash nor signature, and one is required.",
		"Have the producer sign, or lower verify.require for this organisation or source."},
	topics.ReasonHashOnly: {"The event has a hash and no signature, and one is required.",
		"Have the producer sign, or lower verify.require for this organisation or source."},
	topics.ReasonFuture: {"The event's time is too far ahead of the time at which it was written.",
		"Set the producer's clock right; events that are right to be ahead need a larger detection.future_skew."},
	topics.ReasonLate: {"The event came too late to be judged in its place.",
		"Deliver sooner, raise detection.grace, or judge history with `tocsin ingest --historic` or `tocsin replay`."},
	topics.ReasonInternal: {"The program failed on this record.",
		"This is a fault of tocsin: please report it with the error and, if you may, the record."},
}

// Reason says in a sentence what a reason means.
func Reason(reason string) string {
	if r, ok := topics.ParseReason(reason); ok && remedies[r].means != "" {
		return remedies[r].means
	}
	return "The reason is not known to this version."
}

// Mend says what to do about a reason.
func Mend(reason string) string {
	if r, ok := topics.ParseReason(reason); ok && remedies[r].mend != "" {
		return remedies[r].mend
	}
	return "The reason is not known to this version."
}
