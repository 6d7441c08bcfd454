package detect

import (
	"fmt"
	"strings"
)

// maxPatterns and maxPattern bound the exceptions of a rule.
const (
	maxPatterns = 1000
	maxPattern  = 256
)

// pattern is a principal pattern: text in which "*" stands for any run of characters.
type pattern struct{ parts []string } // between the stars; one part: no star

func compilePatterns(texts []string) ([]pattern, error) {
	if len(texts) > maxPatterns {
		return nil, fmt.Errorf("except: %d patterns, at most %d are allowed", len(texts), maxPatterns)
	}
	ps := make([]pattern, len(texts))
	for i, t := range texts {
		if t == "" || len(t) > maxPattern {
			return nil, fmt.Errorf("except[%d]: a pattern has 1 to %d bytes", i, maxPattern)
		}
		ps[i] = pattern{parts: strings.Split(t, "*")}
	}
	return ps, nil
}

// match compares without allocating, in time linear in the text for each part.
func (p pattern) match(text []byte) bool {
	first, last := p.parts[0], p.parts[len(p.parts)-1]
	if len(p.parts) == 1 {
		return string(text) == first
	}
	if len(text) < len(first)+len(last) || string(text[:len(first)]) != first ||
		string(text[len(text)-len(last):]) != last {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range p.parts[1 : len(p.parts)-1] {
		i := indexString(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}

func indexString(s []byte, sub string) int {
	for i := 0; i+len(sub) <= len(s); i++ {
		if string(s[i:i+len(sub)]) == sub {
			return i
		}
	}
	return -1
}
