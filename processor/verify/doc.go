// Package verify says whether an event is what its producer hashed and signed.
//
// The canonical string is made of eight of the event's fields, each printed exactly as JavaScript's JSON.stringify
// prints it, so that hashes made by upstream's producers hold here. Everything else in an event is not covered by its
// hash.
//
// The package is pure: the same event and the same Config give the same Result, with no clock, network or state. A
// [Verifier] is immutable and may be shared by goroutines; a [Scratch] may not, and each goroutine needs its own. All
// comparisons of hashes and signatures take constant time.
//
// What the caller must do, in order:
//
//  1. decode the record with [topics.Event.Decode] and set it aside when that gives a reason;
//  2. call [Verifier.Verify] with the event before anything changes the record's bytes;
//  3. when Result.Reason is not [topics.ReasonNone], quarantine: dead letter with that reason, no window, no clock;
//  4. raise the integrity alert for the outcomes tampered, forged and unverifiable, whether quarantined or not.
package verify
