package topics

import "fmt"

// The formats of what a changelog holds. Every value (head, chunk, evidence) and every seal begins with the number of
// its format. This is the one place that says which of them this build reads and which it can write:
//
//	         reads                                  writes
//	values   OldestValueFormat … NewestValueFormat  what is configured, else DefaultValueFormat
//	seals    OldestSealFormat … SealVersion         SealVersion
//
// A build reads the format of the release before and goes on writing it until it is told otherwise: while builds of
// both releases run, each must read what the other writes. A new format of seals is to follow the same setting.
const (
	OldestValueFormat = 1
	NewestValueFormat = newestValueFormat
	// DefaultValueFormat is one that the release before reads too.
	DefaultValueFormat = OldestValueFormat
	// OldestSealFormat is the oldest form of a seal that is read; [SealVersion] is the newest, and the one written.
	OldestSealFormat = 1
)

// FormatError says that something is written in a format that this build does not read. Nothing is wrong with it: it
// takes another build.
type FormatError struct {
	What           string // "value" or "seal"
	Format         int
	Oldest, Newest int // that this build reads
}

func (e *FormatError) Error() string {
	reads := formats(e.Oldest, e.Newest)
	if e.Format < e.Oldest {
		return fmt.Sprintf("a %s of format %d: this build reads %s; use an older one", e.What, e.Format, reads)
	}
	return fmt.Sprintf("a %s of format %d: this build reads %s; use the build that wrote it, or a newer one", e.What,
		e.Format, reads)
}

// CheckValueFormat is a [FormatError] when this build does not read values of a format.
func CheckValueFormat(format byte) error {
	if format < OldestValueFormat || format > NewestValueFormat {
		return &FormatError{What: "value", Format: int(format), Oldest: OldestValueFormat, Newest: NewestValueFormat}
	}
	return nil
}

// WriteFormat gives the format of values to be written: the one configured, and [DefaultValueFormat] for 0.
func WriteFormat(configured int) (byte, error) {
	switch {
	case configured == 0:
		return DefaultValueFormat, nil
	case configured < OldestValueFormat || configured > NewestValueFormat:
		return 0, fmt.Errorf("this build writes %s, not %d; 0 is the default, %d",
			formats(OldestValueFormat, NewestValueFormat), configured, DefaultValueFormat)
	}
	return byte(configured), nil
}

func formats(oldest, newest int) string {
	if oldest == newest {
		return fmt.Sprintf("format %d", oldest)
	}
	return fmt.Sprintf("formats %d to %d", oldest, newest)
}
