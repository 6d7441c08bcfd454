// Package ports finds TCP ports for servers that a test starts in processes of their own, stops, and starts again where
// they were.
//
// A port that the kernel chose (port 0) is one of those it also gives to outgoing connections: while the server is
// down, any connection of any program may take it, one to that very port included, and the server finds its address in
// use. Ports of this package lie below that range, and no other program that asks this package is given the same.
package ports

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

const (
	// lowest keeps clear of ports that installed servers listen on.
	lowest = 10000
	// block is how many ports a program claims at a time.
	block = 64
)

// claimed holds the ports this program may still give. It is global because the program is what it belongs to.
var claimed struct {
	sync.Mutex

	next, end int
}

// Free is a port on 127.0.0.1 that nobody listens on, and that nobody is given again while this program runs.
func Free(ctx context.Context) (int, error) {
	claimed.Lock()
	defer claimed.Unlock()
	for {
		if claimed.next == claimed.end {
			first, err := claim(filepath.Join(os.TempDir(), fmt.Sprintf("tocsin-ports-%d", os.Getuid())))
			if err != nil {
				return 0, fmt.Errorf("claim ports: %w", err)
			}
			claimed.next, claimed.end = first, first+block
		}
		port := claimed.next
		claimed.next++
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address(port))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("try port %d: %w", port, err)
		}
		return port, l.Close()
	}
}

// FreeAddr is Free as an address.
func FreeAddr(ctx context.Context) (string, error) {
	port, err := Free(ctx)
	if err != nil {
		return "", err
	}
	return address(port), nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// claim returns the first port of a block that no other program holds. The kernel ends the claim with the program.
func claim(dir string) (int, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	end, err := outgoing()
	if err != nil {
		return 0, err
	}
	for first := lowest; first+block <= end; first += block {
		// Not an os.File, which would close itself, and end the claim, once it is garbage.
		lock := filepath.Join(dir, strconv.Itoa(first))
		fd, err := syscall.Open(lock, syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
		if err != nil {
			return 0, fmt.Errorf("open lock of port %d: %w", first, err)
		}
		if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return first, nil
		}
		_ = syscall.Close(fd)
	}
	return 0, fmt.Errorf("every block of %d ports between %d and %d is claimed", block, lowest, end)
}

// outgoing is the first port that the kernel gives to outgoing connections.
func outgoing() (int, error) {
	const file = "/proc/sys/net/ipv4/ip_local_port_range"
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var first, last int
	if _, err := fmt.Sscan(string(b), &first, &last); err != nil {
		return 0, fmt.Errorf("read %s: %w", file, err)
	}
	return first, nil
}
