package window_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/state/window"
	"tocsin/topics"
)

// TestFormats: of the golden files, which hold one key in every format there is, those that this build reads load as the
// same key, and the others are refused as what they are, in whichever part. Format 2 is that of the build tag
// tocsin_next_format: with the tag this says that it reads both, without it that it leaves the other alone.
func TestFormats(t *testing.T) {
	k, key := goldenKey(t)
	canonical := readGolden(t, window.CanonicalFormat, key)
	for format := 1; format <= 2; format++ {
		s := readGolden(t, format, key)
		for _, value := range s.parts {
			require.EqualValues(t, format, value[0])
		}
		if format > topics.NewestValueFormat {
			refused(t, s, key, format)
			continue
		}
		written := &store{parts: map[string]string{}, format: byte(format)}
		again, _ := goldenKey(t)
		written.save(t, again, key, 900*sec)
		require.Equal(t, s.parts, written.parts, "format %d", format)

		loaded := new(window.Key)
		require.NoError(t, loaded.Load(key, s))
		require.Equal(t, k.Counter(), loaded.Counter())
		require.Equal(t, k.Len(), loaded.Len())
		require.Equal(t, canonical.parts, s.canonical(t))

		// And on in every format that can be written: what was written stays, the head changes.
		for next := topics.OldestValueFormat; next <= topics.NewestValueFormat; next++ {
			on := readGolden(t, format, key)
			on.format = byte(next)
			require.NoError(t, loaded.Load(key, on))
			loaded.SetCounter(8, loaded.LastWrite()+1)
			on.save(t, loaded, key, 900*sec)
			for suffix, value := range on.parts {
				want := byte(format)
				if suffix[0] == topics.PartHead {
					want = byte(next)
				}
				require.Equal(t, want, value[0], "part %x", suffix)
			}
			require.NoError(t, loaded.Load(key, on))
			require.EqualValues(t, 8, loaded.Counter())
		}
	}
}

// refused sees each part refused, the rest being of a format that is read.
func refused(t *testing.T, s *store, key []byte, format int) {
	t.Helper()
	want := &topics.FormatError{What: "value", Format: format, Oldest: topics.OldestValueFormat, Newest: topics.NewestValueFormat}
	check := func(err error) {
		t.Helper()
		var got *topics.FormatError
		require.ErrorAs(t, err, &got)
		require.Equal(t, want, got)
		require.ErrorContains(t, err, "a value of format 2: this build reads format 1; use the build that wrote it, or a newer one")
	}
	for suffix, value := range s.parts {
		check(window.CheckFormat([]byte(value)))
		_, err := window.Canonical([]byte(suffix), []byte(value))
		check(err)
		if suffix[0] == topics.PartHead {
			_, err = window.HeadIndex([]byte(value))
			check(err)
		}
		mixed := readGolden(t, 1, key)
		mixed.parts[suffix] = value
		check(new(window.Key).Load(key, mixed))
	}
}

func TestCanonicalRefuses(t *testing.T) {
	for _, value := range []string{"", "\x00", "\xff abc"} {
		_, err := window.Canonical(topics.AppendHead(nil), []byte(value))
		require.Error(t, err, "%q", value)
	}
}
