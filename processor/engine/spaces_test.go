package engine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/processor/engine"
)

// TestNameSpaces: a principal who is named like an IP address, that address where nobody is named, and the same name in
// another organisation share no window: four failed logins of each do not make five.
func TestNameSpaces(t *testing.T) {
	e := newEngine(t, "")
	p := e.NewPartition(engine.PartitionConfig{Loader: nothing{}})
	var fx engine.Effects
	var scratch engine.Scratch
	var prepared engine.Prepared
	offset := int64(0)
	send := func(who string) {
		r := engine.Record{Offset: offset, Timestamp: 1772452800e9, Value: fmt.Appendf(nil,
			`{"id":"%d","timestamp":"2026-03-02T12:00:00Z","action":"auth.login.failure","status":"failure",%s}`, offset, who)}
		offset++
		e.Prepare(&r, &scratch, &prepared)
		_, err := p.Advance(r.Timestamp, 1, &fx)
		require.NoError(t, err)
		require.NoError(t, p.Step(&prepared, &fx))
	}
	all := []string{
		`"organizationId":"acme","principalId":"10.0.0.1"`, `"organizationId":"acme","sessionContext":{"ipAddress":"10.0.0.1"}`,
		`"organizationId":"other","principalId":"10.0.0.1"`, `"principalId":"10.0.0.1"`, `"sessionContext":{"ipAddress":"10.0.0.1"}`,
		`"organizationId":"acme"`, `"organizationId":"acme","principalId":"unknown"`,
	}
	for range 4 {
		for _, who := range all {
			send(who)
		}
	}
	require.Empty(t, fx.Alerts)
	for i, who := range all {
		send(who)
		require.Len(t, fx.Alerts, i+1, who)
	}
}
