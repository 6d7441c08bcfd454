package topics

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// AlertID is the id of the alert that a rule opens for a key at a crossing: the first 16 bytes of
//
//	SHA-256("tocsin alert 1\n" ‖ f(rule id) ‖ f(version) ‖ f(organisation) ‖ f(group-by name) ‖ f(value) … ‖ crossing)
//
// where f writes the length in bytes as 8 bytes, big-endian, and then the bytes, and the crossing is its Unix
// nanoseconds in 8 bytes, big-endian. The group-by name is the comma-joined names of the group's columns, and there is
// one value for each. No wall clock, no offset, no randomness: who has the log can compute it.
func AlertID(rule string, version [8]byte, organization, groupBy string, values []string, crossing int64) [16]byte {
	b := make([]byte, 0, 256) // once per alert
	field := func(s string) {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = append(b, "tocsin alert 1\n"...)
	field(rule)
	field(string(version[:]))
	field(organization)
	field(groupBy)
	for _, v := range values {
		field(v)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(crossing))
	h := sha256.Sum256(b)
	return [16]byte(h[:16])
}

// FormatAlertID gives the form of [Alert.ID].
func FormatAlertID(id [16]byte) string { return hex.EncodeToString(id[:]) }
