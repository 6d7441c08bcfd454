// Package generate makes audit events by the million with the answer key beside them.
//
// Everything follows from a seed: record i of a stream is a function of the configuration and i alone, so a stream can
// be made in parts, in parallel and again. Beside key, value and record time each record carries what a decoder, a
// verifier and the built-in rules must say of it ([tocsin/processor/processortest/oracle.Record]); that comes from what
// was planted and never from parsing. [Generator.Expect] runs an oracle over it.
//
// A stream holds ordinary work of Zipf-distributed principals (or of all alike, and of a hot one), some of which is
// enough for alerts, planted attacks ([Generator.Attacks]), second deliveries, disorder within grace, late and future
// events, every kind of malformed value, id conflicts, and tampered, forged, unverifiable, unsigned and hash-only
// events.
//
// A Generator is immutable; each goroutine takes a [Cursor] of its own.
package generate
