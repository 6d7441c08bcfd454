package topics_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

// FuzzKeyTemplate: a template that is accepted makes one key of each event, with the principal in it.
func FuzzKeyTemplate(f *testing.F) {
	for _, s := range []string{topics.DefaultKeyTemplate, "{principalId}", "{", "a{organizationId}}{principalId}b", "{principalId"} {
		f.Add(s, "ann", "acme")
	}
	f.Fuzz(func(t *testing.T, text, principal, organization string) {
		template, err := topics.ParseKeyTemplate(text)
		require.Equal(t, err != nil, template.IsZero())
		if err != nil {
			return
		}
		e := topics.Event{PrincipalID: []byte(principal), OrganizationID: []byte(organization)}
		if principal == "" {
			principal = "unknown"
		}
		want := strings.NewReplacer("{principalId}", principal, "{organizationId}", organization).Replace(text)
		require.Equal(t, want, string(template.Append([]byte{7}, &e)[1:]))
	})
}
