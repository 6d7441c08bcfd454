package topics

import (
	"fmt"
	"strings"
)

// DefaultKeyTemplate is the template of the input's record keys unless configured otherwise.
const DefaultKeyTemplate = "{organizationId}/{principalId}"

// KeyTemplate makes record keys from events. Two placeholders are known:
//
//	{organizationId}  the organisation, empty when the event has none
//	{principalId}     the principal; without one the IP address; without either the word unknown
//
// Everything else stands for itself. All events of one principal must get the same key, so that they come to the same
// partition: a template must hold {principalId}.
type KeyTemplate struct {
	parts []keyPart
}

type keyPart struct {
	text  string
	field byte // 'o' or 'p'; 0 for text
}

// ParseKeyTemplate reads a template.
func ParseKeyTemplate(text string) (KeyTemplate, error) {
	var (
		t         KeyTemplate
		principal bool
	)
	rest := text
	for rest != "" {
		before, after, found := strings.Cut(rest, "{")
		if before != "" {
			t.parts = append(t.parts, keyPart{text: before})
		}
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		switch {
		case !closed:
			return KeyTemplate{}, fmt.Errorf("key template %q: a { is not closed", text)
		case name == "organizationId":
			t.parts = append(t.parts, keyPart{field: 'o'})
		case name == "principalId":
			t.parts = append(t.parts, keyPart{field: 'p'})
			principal = true
		default:
			return KeyTemplate{}, fmt.Errorf("key template %q: {%s} is neither {organizationId} nor {principalId}",
				text, name)
		}
		rest = tail
	}
	if !principal {
		return KeyTemplate{}, fmt.Errorf("key template %q: {principalId} is missing, without it the events of one"+
			" principal would lie in several partitions", text)
	}
	return t, nil
}

// IsZero says whether the template was never parsed.
func (t KeyTemplate) IsZero() bool { return len(t.parts) == 0 }

// Append appends the key of e to dst. What could not be decoded has no fields: its key is that of an event without
// organisation, principal and address.
func (t KeyTemplate) Append(dst []byte, e *Event) []byte {
	for _, p := range t.parts {
		switch p.field {
		case 'o':
			dst = append(dst, e.OrganizationID...)
		case 'p':
			switch {
			case len(e.PrincipalID) > 0:
				dst = append(dst, e.PrincipalID...)
			case len(e.IPAddress) > 0:
				dst = append(dst, e.IPAddress...)
			default:
				dst = append(dst, "unknown"...)
			}
		default:
			dst = append(dst, p.text...)
		}
	}
	return dst
}
