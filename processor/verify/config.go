package verify

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Require is what an event must at least bring to be counted.
type Require uint8

// The levels. What brings less goes to the dead letters as unsigned, hash_only or unverifiable.
const (
	RequireNone      Require = iota // anything that is not known to be false
	RequireHash                     // a right hash, or a right signature
	RequireSignature                // a right signature
)

// String gives the name used in the configuration.
func (r Require) String() string {
	switch r {
	case RequireNone:
		return "none"
	case RequireHash:
		return "hash"
	case RequireSignature:
		return "signature"
	}
	return "unknown"
}

// ParseRequire is the inverse of [Require.String].
func ParseRequire(name string) (Require, error) {
	for r := RequireNone; r <= RequireSignature; r++ {
		if r.String() == name {
			return r, nil
		}
	}
	return 0, fmt.Errorf("require is %q: it must be none, hash or signature", name)
}

// Unverifiable is what becomes of events whose key or algorithm is unknown.
type Unverifiable uint8

// The policies. Both raise the integrity alert.
const (
	QuarantineUnverifiable Unverifiable = iota // dead letter, the default
	CountUnverifiable                          // counted, with the outcome in the evidence, unless Require says more
)

// String gives the name used in the configuration.
func (u Unverifiable) String() string {
	if u == CountUnverifiable {
		return "count"
	}
	return "quarantine"
}

// ParseUnverifiable is the inverse of [Unverifiable.String].
func ParseUnverifiable(name string) (Unverifiable, error) {
	switch name {
	case "quarantine":
		return QuarantineUnverifiable, nil
	case "count":
		return CountUnverifiable, nil
	}
	return 0, fmt.Errorf("unverifiable is %q: it must be quarantine or count", name)
}

// MinSecret is the length of the shortest secret accepted, in bytes.
const MinSecret = 32

// Config says how events are verified. The zero value counts everything that is not known to be false and can check no
// signature.
type Config struct {
	// Secret is the shared key of HMAC-SHA256, used as it is (a hex text is not decoded). At least MinSecret bytes;
	// nil means there is none, and signed events then count as hash_only or unsigned.
	Secret []byte
	// KeyID is the keyId that Secret goes by. An event may state it or none; any other keyId is unknown. Default "".
	KeyID string
	// Require is the level for events that nothing below names.
	Require Require
	// Sources sets the level by the event's source. Both organisation and source are what the event claims.
	Sources map[string]Require
	// Organizations sets the level by organisation; "" names the events without one. The most specific setting holds:
	// organisation and source, then organisation, then source, then Require.
	Organizations map[string]Organization
	// Unverifiable is the policy for events whose key or algorithm is unknown. Default quarantine.
	Unverifiable Unverifiable
}

// Organization is what one organisation requires.
type Organization struct {
	// Require is the organisation's level; nil leaves it to Config.Sources and Config.Require.
	Require *Require
	// Sources sets the level by source within the organisation.
	Sources map[string]Require
}

// Validate says what is wrong with the settings. No message holds the secret.
func (c Config) Validate() error {
	if c.Secret != nil && len(c.Secret) < MinSecret {
		return fmt.Errorf("the signing secret has %d bytes: it needs at least %d", len(c.Secret), MinSecret)
	}
	if c.Secret == nil && c.KeyID != "" {
		return errors.New("a key id is set without a signing secret: set both or neither")
	}
	if err := checkLevel("require", c.Require); err != nil {
		return err
	}
	if c.Unverifiable > CountUnverifiable {
		return fmt.Errorf("unverifiable has the unknown value %d: use quarantine or count", c.Unverifiable)
	}
	for _, source := range slices.Sorted(maps.Keys(c.Sources)) {
		r := c.Sources[source]
		if err := checkLevel(fmt.Sprintf("require of source %q", source), r); err != nil {
			return err
		}
	}
	for _, org := range slices.Sorted(maps.Keys(c.Organizations)) {
		o := c.Organizations[org]
		if o.Require != nil {
			if err := checkLevel(fmt.Sprintf("require of organization %q", org), *o.Require); err != nil {
				return err
			}
		}
		for _, source := range slices.Sorted(maps.Keys(o.Sources)) {
			r := o.Sources[source]
			if err := checkLevel(fmt.Sprintf("require of organization %q, source %q", org, source), r); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkLevel(what string, r Require) error {
	if r > RequireSignature {
		return fmt.Errorf("%s has the unknown value %d: use none, hash or signature", what, r)
	}
	return nil
}

// clone copies what a caller could still change.
func (c Config) clone() Config {
	c.Sources = maps.Clone(c.Sources)
	orgs := make(map[string]Organization, len(c.Organizations))
	for name, o := range c.Organizations { //maporder:ok copies into a map
		o.Sources = maps.Clone(o.Sources)
		if o.Require != nil {
			r := *o.Require
			o.Require = &r
		}
		orgs[name] = o
	}
	c.Organizations = orgs
	c.Secret = nil // only its padded forms are kept
	return c
}

// level is what an event of this organisation and source must bring.
func (c *Config) level(org, source []byte) Require {
	if o, ok := c.Organizations[string(org)]; ok {
		if r, ok := o.Sources[string(source)]; ok {
			return r
		}
		if o.Require != nil {
			return *o.Require
		}
	}
	if r, ok := c.Sources[string(source)]; ok {
		return r
	}
	return c.Require
}
