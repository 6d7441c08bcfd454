package generate

import (
	"errors"
	"fmt"
	"time"

	"tocsin/processor/processortest/oracle"
)

// Config says what a stream is made of. Shares are of all records, 0 to 1; what is left is ordinary.
type Config struct {
	Seed          uint64
	Records       int           // without the closing ticks
	Duration      time.Duration // of record time from the first record to the last; also sets the rate
	Start         time.Time     // record time of the first record; zero: so that the last twentieth is off hours
	Principals    int64
	Zipf          float64 // exponent; 0: all principals alike
	HotKey        float64 // share of ordinary events that are of one principal more, beside those drawn
	Organizations int
	ValueBytes    int    // values are padded to this size where they are shorter
	Secret        []byte // HMAC key of good signatures; nil: nothing is signed (then outcomes are hash_only)
	Attacks       int    // planted attacks of each kind
	Downgrades    int    // planted signing downgrades
	TooLarge      int    // records over 1 MiB; topic and producer must allow them
	Census        int    // the first so many records are of one principal each: a state of so many keys
	ProbeEvery    int    // one probe (see [Generator.Probes]) to so many records, at least 3; 0: none

	Duplicates float64 // second deliveries, a tenth of them with other bytes outside the canonical fields
	Disorder   float64 // events delayed by up to four fifths of grace
	Late       float64 // events delayed by more than grace
	Future     float64 // events more than five minutes ahead
	Ahead      float64 // events up to four minutes ahead
	Malformed  float64 // values the decoder must refuse, all reasons alike
	Conflicts  float64 // another event under an id already used
	Tampered   float64
	Forged     float64
	Unverified float64 // signed with an unknown algorithm and key
	Unsigned   float64 // neither hash nor signature
	HashOnly   float64
}

// Default is the mix of the acceptance runs for n records and a fixed secret.
func Default(n int) Config {
	return Config{
		Seed: 1, Records: n, Duration: 4000 * time.Second, Principals: 100_000, Zipf: 1.1, Organizations: 20,
		ValueBytes: 754, Secret: []byte("a secret for generated events, not for production"), Attacks: 3, Downgrades: 1,
		Duplicates: 0.02, Disorder: 0.05, Late: 0.003, Future: 0.001, Ahead: 0.001, Malformed: 0.003, Conflicts: 0.0005,
		Tampered: 0.0002, Forged: 0.0001, Unverified: 0.0001, Unsigned: 0.001, HashOnly: 0.001,
	}
}

// Grace is the grace the shares of late and disordered events are made for.
const Grace = 15 * time.Minute

func (c *Config) check() error {
	switch {
	case c.Records <= 0:
		return errors.New("generate: records must be positive")
	case c.Duration <= 0:
		return errors.New("generate: duration must be positive")
	case c.Principals <= 0 || c.Organizations <= 0:
		return errors.New("generate: there must be a principal and an organisation")
	case c.ProbeEvery != 0 && c.ProbeEvery < probeSteps:
		return fmt.Errorf("generate: a probe needs %d records at least, not %d", probeSteps, c.ProbeEvery)
	case c.Census < 0 || c.Census > c.Records || int64(c.Census) > c.Principals:
		return fmt.Errorf("generate: a census of %d principals needs as many principals and records", c.Census)
	case c.Zipf < 0:
		return errors.New("generate: the Zipf exponent must not be negative")
	case c.HotKey < 0 || c.HotKey > 1:
		return fmt.Errorf("generate: the hot key's share is %v, outside 0 to 1", c.HotKey)
	}
	sum := c.Duplicates + c.Disorder + c.Late + c.Future + c.Ahead + c.Malformed + c.Conflicts + c.Tampered + c.Forged +
		c.Unverified + c.Unsigned + c.HashOnly
	if sum > 1 {
		return fmt.Errorf("generate: the shares add up to %.3f, more than 1", sum)
	}
	return nil
}

// The built-in rules in rule order: bit i of [oracle.Record.Matched].
const (
	FailedAuthBurst = iota
	UnauthorizedAccess
	DataVelocity
	BulkOperation
	OffHoursAccess
	IntegrityViolation
)

// Oracle is the configuration of the oracles for the built-in rules with their defaults. Streams are shorter than any
// time to live of state.
func Oracle() oracle.Config {
	rule := func(id string, n int, w, cooldown time.Duration) oracle.Rule {
		return oracle.Rule{ID: id, N: n, W: int64(w), Cooldown: int64(cooldown)}
	}
	return oracle.Config{
		Rules: []oracle.Rule{
			rule("failed-auth-burst", 5, 5*time.Minute, 15*time.Minute),
			rule("unauthorized-access", 3, 10*time.Minute, 15*time.Minute),
			rule("data-velocity", 50, time.Minute, 15*time.Minute),
			rule("bulk-operation", 100, 5*time.Minute, 15*time.Minute),
			rule("off-hours-access", 1, 1, 8*time.Hour),
			rule("integrity-violation", 1, 1, time.Hour),
		},
		Integrity: IntegrityViolation,
		Grace:     int64(Grace), MaxEpisode: int64(24 * time.Hour),
		Future: int64(5 * time.Minute), Refresh: int64(time.Minute), Cap: retainedCap,
	}
}
