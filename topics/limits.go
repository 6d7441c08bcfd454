package topics

// Limits bound what the decoder accepts. They hold for the whole record value, the envelope of a structured CloudEvent
// included.
type Limits struct {
	// MaxBytes is the largest value accepted, in bytes; a longer one is too_large. At most 1 GiB is honoured.
	MaxBytes int
	// MaxDepth is the deepest nesting of objects and arrays accepted; the outermost object is level 1. Deeper is
	// too_deep.
	MaxDepth int
}

// DefaultLimits are the limits of the product: 1 MiB and 32 levels.
func DefaultLimits() Limits { return Limits{MaxBytes: 1 << 20, MaxDepth: 32} }

// maxBytes is the hard bound on Limits.MaxBytes: offsets within a record are kept in 32 bits.
const maxBytes = 1 << 30
