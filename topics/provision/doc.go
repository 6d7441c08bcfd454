// Package provision compares the topics of a live cluster with what they must be, and creates those that are missing.
// What must be, and how it is compared, is in package topics.
//
// What the package guarantees: nothing that exists is ever changed or removed; a topic is created exactly as its spec
// says, or not at all; every difference comes with its reason and its remedy.
//
// What the caller must do: describe the input first (Input), make the specs from it (topics.Specs), then Create or
// Check. A caller that needs only some of the topics picks their specs with Only.
package provision
