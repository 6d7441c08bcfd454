package verify

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"hash"
)

// Scratch is the memory of one goroutine for verifying. Make it with [NewScratch].
type Scratch struct {
	canonical []byte
	digest    hash.Hash
	state     encoding.BinaryUnmarshaler // digest, as what can be set to a saved state
	sum       []byte
	hashText  hexDigest
	macText   hexDigest
}

// hexDigest is a digest in lower-case hex.
type hexDigest [2 * sha256.Size]byte

// keepBytes bounds the memory a Scratch keeps after a large event.
const keepBytes = 64 << 10

// NewScratch makes the memory that Verify, Sign and CanonicalHash work in.
func NewScratch() *Scratch {
	d := sha256.New()
	return &Scratch{
		digest: d,
		state:  d.(encoding.BinaryUnmarshaler), // promised by crypto/sha256
		sum:    make([]byte, 0, sha256.Size),
	}
}

// mac is HMAC-SHA256 (RFC 2104) with one key: the saved states of SHA-256 after the two padded keys, so that each
// signature costs two compressions less and allocates nothing.
type mac struct{ inner, outer []byte }

func newMAC(key []byte) (*mac, error) {
	var block [sha256.BlockSize]byte
	if len(key) > len(block) {
		sum := sha256.Sum256(key)
		copy(block[:], sum[:])
	} else {
		copy(block[:], key)
	}
	inner, err := padded(block, 0x36)
	if err != nil {
		return nil, err
	}
	outer, err := padded(block, 0x5c)
	if err != nil {
		return nil, err
	}
	return &mac{inner, outer}, nil
}

// padded is the state of SHA-256 after the key, each byte xored with pad.
func padded(key [sha256.BlockSize]byte, pad byte) ([]byte, error) {
	for i := range key {
		key[i] ^= pad
	}
	h := sha256.New()
	h.Write(key[:])
	return h.(encoding.BinaryMarshaler).MarshalBinary()
}

// hexSum returns the HMAC of text in lower-case hex, in memory of s. An error is impossible with states this process
// saved; a wrong state would give a signature that matches nothing.
func (m *mac) hexSum(text []byte, s *Scratch) (*hexDigest, error) {
	if err := s.state.UnmarshalBinary(m.inner); err != nil {
		return nil, err
	}
	s.digest.Write(text)
	s.sum = s.digest.Sum(s.sum[:0])
	if err := s.state.UnmarshalBinary(m.outer); err != nil {
		return nil, err
	}
	s.digest.Write(s.sum)
	s.sum = s.digest.Sum(s.sum[:0])
	hex.Encode(s.macText[:], s.sum)
	return &s.macText, nil
}
