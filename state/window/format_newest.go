//go:build !tocsin_next_format

package window

import "encoding/binary"

func appendTimes(dst []byte, _ byte, x Index, clock int64) []byte { return appendTimes1(dst, x, clock) }

func (r *reader) times() (x Index, clock int64) { return r.times1() }

// appendLen and length are of the number of entries.
func appendLen(dst []byte, _ byte, n int) []byte { return binary.AppendUvarint(dst, uint64(n)) }

func (r *reader) length(size int) int { return r.count(size) }
