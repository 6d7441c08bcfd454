package processor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// A processor that is told to stop while it is still starting ends as well as a later one.
func TestStopsWhileStarting(t *testing.T) {
	e := newEnv(t, 1)
	x := e.prepare(t.TempDir(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, x.p.Run(ctx))
	require.NoError(t, x.store.Close())
}
