package ports_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/processor/processortest/ports"
)

// TestMain is also the second program of TestPrograms, which prints ports.
func TestMain(m *testing.M) {
	if os.Getenv("TOCSIN_PORTS") == "" {
		os.Exit(m.Run())
	}
	for range 100 {
		port, err := ports.Free(context.Background())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(port)
	}
}

func TestPrograms(t *testing.T) {
	given := map[string]bool{}
	for range 100 {
		port, err := ports.Free(t.Context())
		require.NoError(t, err)
		given[fmt.Sprint(port)] = true
	}
	require.Len(t, given, 100)

	self, err := os.Executable()
	require.NoError(t, err)
	other := exec.CommandContext(t.Context(), self)
	other.Env = append(os.Environ(), "TOCSIN_PORTS=1")
	out, err := other.Output()
	require.NoError(t, err)
	others := strings.Fields(string(out))
	require.Len(t, others, 100)
	for _, port := range others {
		require.False(t, given[port], "two programs have port %s", port)
	}
}

// A port of Free is not taken by a connection to it, as one of the kernel's own choice may be.
func TestNotOutgoing(t *testing.T) {
	addr, err := ports.FreeAddr(t.Context())
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	chosen := l.Addr().(*net.TCPAddr).Port
	free, err := net.ResolveTCPAddr("tcp", addr)
	require.NoError(t, err)
	require.Less(t, free.Port, chosen)
}

func TestListenedOn(t *testing.T) {
	port, err := ports.Free(t.Context())
	require.NoError(t, err)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	next, err := ports.Free(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, port+1, next)
}
