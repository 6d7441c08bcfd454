package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// look is how output for people is shown.
type look struct {
	width  int  // columns of the terminal
	colour bool // escape sequences for colours may be written
	boxes  bool // box-drawing and other characters beyond ASCII may be written
}

// Widths of what is no terminal, or does not say how wide it is.
const (
	defaultWidth = 80
	leastWidth   = 40
)

// look asks the terminal and the environment: COLUMNS where the terminal does not say how wide it is; no colours with
// NO_COLOR (https://no-color.org), on a dumb terminal or on none; box-drawing characters where the locale is UTF-8.
func (e *environment) look() look {
	env := map[string]string{}
	for _, pair := range e.environ {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	l := look{width: e.columns}
	if n, err := strconv.Atoi(env["COLUMNS"]); err == nil && l.width <= 0 {
		l.width = n
	}
	if l.width <= 0 {
		l.width = defaultWidth
	}
	l.width = max(l.width, leastWidth)
	l.colour = e.stdoutTerminal && env["NO_COLOR"] == "" && env["TERM"] != "dumb"
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} { // the first that is set decides (POSIX)
		if v := strings.ToLower(env[name]); v != "" {
			l.boxes = strings.HasSuffix(v, "utf-8") || strings.HasSuffix(v, "utf8")
			break
		}
	}
	return l
}

// terminalWidth is the number of columns of a terminal; 0 when it does not say, or is none.
func terminalWidth(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

// shade is a way to write text: the parameters of the escape sequence SGR (ECMA-48, 8.3.117).
type shade string

const (
	plain  shade = ""
	bold   shade = "1"
	faint  shade = "2"
	red    shade = "31"
	green  shade = "32"
	yellow shade = "33"
	cyan   shade = "36"
	alarm  shade = "1;97;41" // bold white on red
)

// paint writes text in a shade, where colours may be written.
func (l look) paint(s shade, text string) string {
	if !l.colour || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// severityShade is how a severity is written.
func severityShade(name string) shade {
	switch name {
	case "CRITICAL":
		return alarm
	case "HIGH":
		return red
	case "MEDIUM":
		return yellow
	case "LOW":
		return cyan
	}
	return plain
}

// or gives the first text where characters beyond ASCII may be written, else the second.
func (l look) or(text, ascii string) string {
	if l.boxes {
		return text
	}
	return ascii
}

// column of a grid.
type column struct {
	title string
	width int
	right bool // numbers: aligned to the right
}

// line is text of a cell with its shade.
type line struct {
	text  string
	shade shade
}

// grid writes a table row by row, as rows become known: its widths are fixed, and text that is too long is wrapped.
type grid struct {
	w       io.Writer
	look    look
	columns []column
	err     error
}

// rest is the width that is left for one more column beside these in a grid of the look's width.
func (l look) rest(columns ...column) int {
	left := l.width - len("| ") - len(" |")
	for _, c := range columns {
		left -= c.width + len(" | ")
	}
	return left
}

// head writes the head of the table.
func (g *grid) head() {
	g.rule("┌┬┐")
	cells := make([][]line, len(g.columns))
	for i, c := range g.columns {
		cells[i] = []line{{c.title, bold}}
	}
	g.row(cells...)
	g.rule("├┼┤")
}

// end writes the foot and returns the first failure to write.
func (g *grid) end() error {
	g.rule("└┴┘")
	return g.err
}

// row writes one row: the lines of each cell, one below the other. Control characters of the text are escaped.
func (g *grid) row(cells ...[]line) {
	wrapped := make([][]line, len(cells))
	height := 0
	for i, cell := range cells {
		for _, l := range cell {
			for _, text := range wrap(escape(l.text, false), g.columns[i].width) {
				wrapped[i] = append(wrapped[i], line{text, l.shade})
			}
		}
		height = max(height, len(wrapped[i]))
	}
	bar := g.look.paint(faint, g.look.or("│", "|"))
	for n := range height {
		var b strings.Builder
		for i, c := range g.columns {
			var l line
			if n < len(wrapped[i]) {
				l = wrapped[i][n]
			}
			pad := strings.Repeat(" ", max(0, c.width-utf8.RuneCountInString(l.text)))
			text := g.look.paint(l.shade, l.text)
			if c.right {
				text = pad + text
			} else {
				text += pad
			}
			b.WriteString(bar + " " + text + " ")
		}
		g.write(b.String() + bar + "\n")
	}
}

// rule writes a horizontal line with the given left, middle and right corners.
func (g *grid) rule(corners string) {
	r := []rune(corners)
	dash := "─"
	if !g.look.boxes {
		r, dash = []rune("+++"), "-"
	}
	var b strings.Builder
	for i, c := range g.columns {
		b.WriteRune(r[min(i, 1)])
		b.WriteString(strings.Repeat(dash, c.width+2))
	}
	b.WriteRune(r[2])
	g.write(g.look.paint(faint, b.String()) + "\n")
}

func (g *grid) write(s string) {
	if g.err == nil {
		_, g.err = io.WriteString(g.w, s)
	}
}

// wrap breaks text into lines of at most width characters: between words where that is possible.
func wrap(text string, width int) []string {
	width = max(width, 1)
	var lines []string
	line := ""
	for _, word := range strings.Split(text, " ") {
		for {
			switch n := utf8.RuneCountInString(word); {
			case line == "" && n <= width:
				line = word
			case line != "" && utf8.RuneCountInString(line)+1+n <= width:
				line += " " + word
			case line != "":
				lines, line = append(lines, line), ""
				continue
			default:
				r := []rune(word)
				lines, word = append(lines, string(r[:width])), string(r[width:])
				continue
			}
			break
		}
	}
	return append(lines, line)
}
