package window

import (
	"fmt"

	"tocsin/topics"
)

// CanonicalFormat is the format that digests of the state are made over, whatever the state is written in: the same
// state has the same digest before, during and after a change of the format. It stays when newer formats come, for as
// long as it can hold all that they hold.
const CanonicalFormat = 1

// CheckFormat is a topics.FormatError when this build does not read a value. It looks at the number of the format
// alone.
func CheckFormat(value []byte) error {
	if len(value) == 0 {
		return fmt.Errorf("%w: truncated", errCorrupt)
	}
	return topics.CheckValueFormat(value[0])
}

// Canonical gives a part as it is written in CanonicalFormat; one that is so already is given back as it is. suffix
// tells which part it is, as in the changelog's key.
func Canonical(suffix, value []byte) ([]byte, error) {
	if len(value) > 0 && value[0] == CanonicalFormat {
		return value, nil
	}
	if err := CheckFormat(value); err != nil {
		return nil, err
	}
	if len(suffix) == 1 && suffix[0] == topics.PartHead {
		var k Key
		if err := k.decodeHead(value); err != nil {
			return nil, err
		}
		return k.appendHead(nil, CanonicalFormat, k.saved.index), nil
	}
	r := reader{b: value}
	r.version()
	es := r.entries(nil)
	if err := r.end(); err != nil {
		return nil, err
	}
	return appendPart(nil, CanonicalFormat, es), nil
}
