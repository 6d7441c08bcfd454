// Package topics is the contract between the parts: what lies on which topic, and in which form.
//
// What it guarantees: every stored form is versioned and has golden files; a decoder accepts exactly what its encoder
// can have written (an event's decoder, which reads what others write, says of every record it refuses what is wrong
// with it); no decoder panics or allocates without bound, whatever it is given. Specs says how each topic must be
// configured, and Check how a live one differs.
//
// Values and seals of a changelog are read in the formats of this release and of the one before; which one values are
// written in is the operator's choice, see [OldestValueFormat]. What is of a later format is refused with a
// [FormatError], which means that nothing is wrong but the build.
//
// What the caller must do: keep to the clean-up policies of Specs (a changelog that is not compacted by key, or loses
// records by age, cannot be restored), and never write a changelog outside a transaction that ends with a seal.
//
// The package is pure: standard library only, no clock, randomness, goroutines or I/O. Two packages below this
// one talk to a cluster: provision makes topics and compares them, readlog reads them.
package topics
