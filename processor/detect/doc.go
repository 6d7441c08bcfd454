// Package detect says which events a rule is about, and with which settings: per organisation, the built-in rules after
// all overrides, each with the version that its alerts carry.
//
// What the package guarantees: matching looks at one event and nothing else, so it may be done in parallel and before
// any state is read; equal effective rules have equal versions, whatever the rest of the configuration says; a RuleSet
// never changes. Windows and episodes are the business of state/window.
//
// What the caller must do: Compile once, at start; ask For with the event's organisation; pass the mask that Match
// gives to Rules.
//
// The package is pure: no clock, randomness, goroutines or I/O; the zone data are compiled in.
package detect
