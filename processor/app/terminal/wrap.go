package terminal

import (
	"strings"
	"unicode/utf8"
)

// Wrap breaks text into lines of at most width characters, between words. A word that is longer than a line stays whole
// where whole is set, else it is broken too.
func Wrap(text string, width int, whole bool) []string {
	width = max(width, 1)
	var lines []string
	line, used := "", 0
	for word := range strings.FieldsSeq(text) {
		n := length(word)
		if line != "" && used+1+n <= width {
			line, used = line+" "+word, used+1+n
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for ; n > width && !whole; n -= width {
			r := []rune(word)
			lines, word = append(lines, string(r[:width])), string(r[width:])
		}
		line, used = word, n
	}
	return append(lines, line)
}

// Cut shortens text to at most width characters, the last of them … when something is missing.
func Cut(s string, width int) string {
	if width < 1 || length(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}

func length(s string) int { return utf8.RuneCountInString(s) }
