// Package telemetry makes what the process tells of itself: its logger, and tracers whose spans go to an OpenTelemetry
// collector. Parts get both as parameters; only the wiring (processor/app) calls this package, and there are no
// globals.
package telemetry
