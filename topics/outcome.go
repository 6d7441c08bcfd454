package topics

// Outcome is what verification says of an event. The numbers are stored in state and must not change.
type Outcome uint8

// The outcomes (see processor/verify for when each applies).
const (
	OutcomeUnsigned     Outcome = iota // neither hash nor signature
	OutcomeHashOnly                    // hash right; no signature, or no key of any kind configured
	OutcomeVerified                    // hash and signature right
	OutcomeTampered                    // hash wrong
	OutcomeForged                      // hash right, signature wrong
	OutcomeUnverifiable                // key or algorithm unknown
	NumOutcomes
)

var outcomeNames = [NumOutcomes]string{"unsigned", "hash_only", "verified", "tampered", "forged", "unverifiable"}

// String gives the name used in alerts and metrics.
func (o Outcome) String() string {
	if o < NumOutcomes {
		return outcomeNames[o]
	}
	return "unknown"
}
