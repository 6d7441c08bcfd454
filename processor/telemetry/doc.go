// Package telemetry makes what the process tells of itself: its logger. Parts get a logger as a parameter; only the
// wiring (processor/app) calls this package, and there are no globals.
package telemetry
