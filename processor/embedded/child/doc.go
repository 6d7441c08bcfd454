// Package child runs a server program beside this process and makes sure that it does not outlive it.
//
// A child gets a process group of its own, so that Ctrl-C in the terminal reaches this process alone, which then stops
// its children in the order it wants. On Linux the kernel sends the child Config.DeathSignal when this process ends for
// whatever reason, kill -9 included; elsewhere a child survives a crash of its parent and is found by the next start.
//
// The caller must end every child with Stop or Kill; both wait until it is gone.
package child
