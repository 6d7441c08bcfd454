package terminal

import "strings"

// Widths of a page, in characters.
const (
	DefaultWidth = 80 // where it is not known
	MinWidth     = 40
	// proseWidth is the most that a line of prose takes, however wide the terminal is: longer lines lose their reader.
	proseWidth = 100
)

// Page is text for people, built from the top down. What is written to it is escaped.
type Page struct {
	b      strings.Builder
	width  int
	colour bool
}

// NewPage begins a page. A width of 0 is [DefaultWidth].
func NewPage(width int, colour bool) *Page {
	if width <= 0 {
		width = DefaultWidth
	}
	return &Page{width: max(width, MinWidth), colour: colour}
}

// Width is what a line may hold.
func (p *Page) Width() int { return p.width }

// String gives the page.
func (p *Page) String() string { return p.b.String() }

// Gap writes an empty line.
func (p *Page) Gap() { p.b.WriteByte('\n') }

// Heading begins a section, with an empty line before it.
func (p *Page) Heading(text string) {
	p.Gap()
	p.b.WriteString(p.paint(Bold, Escape(text, false)) + "\n")
}

func (p *Page) paint(s Style, text string) string {
	if !p.colour {
		return text
	}
	return s.Paint(text)
}

// Title writes the first line: what stands out on the left, the rest on the right edge where there is room.
func (p *Page) Title(s Style, mark, text, right string) {
	mark, text, right = Escape(mark, false), Escape(text, false), Escape(right, false)
	line := p.paint(s, mark) + "  " + p.paint(Bold, text)
	used := length(mark) + 2 + length(text)
	edge := min(p.width, proseWidth)
	switch {
	case right == "":
	case used+2+length(right) <= edge:
		line += strings.Repeat(" ", edge-used-length(right)) + right
	default:
		line += "\n" + right
	}
	p.b.WriteString(line + "\n")
}

// Text writes a paragraph, indented.
func (p *Page) Text(indent int, text string) {
	blank := strings.Repeat(" ", indent)
	for _, line := range p.wrap(indent, text) {
		p.b.WriteString(blank + line + "\n")
	}
}

// Item writes a paragraph of a list, with a mark before its first line.
func (p *Page) Item(s Style, mark, text string) {
	const indent = 4
	for i, line := range p.wrap(indent, text) {
		if i == 0 {
			p.b.WriteString("  " + p.paint(s, mark) + " " + line + "\n")
		} else {
			p.b.WriteString(strings.Repeat(" ", indent) + line + "\n")
		}
	}
}

// Line writes one line as it is, escaped and not broken: commands, addresses, drawings.
func (p *Page) Line(indent int, text string) { p.Styled(indent, Plain, text) }

// Styled is [Page.Line] in a style.
func (p *Page) Styled(indent int, s Style, text string) {
	p.b.WriteString(strings.Repeat(" ", indent) + p.paint(s, strings.TrimRight(Escape(text, false), " ")) + "\n")
}

// Command writes a command, and what it is for above it.
func (p *Page) Command(what, command string) {
	p.Text(2, what)
	p.Line(6, command)
}

// wrap breaks text to the width.
func (p *Page) wrap(indent int, text string) []string {
	return Wrap(Escape(text, false), max(min(p.width, proseWidth)-indent, 20), true)
}

// Marked writes one line of three parts, the middle one in a style.
func (p *Page) Marked(before string, s Style, mark, after string) {
	line := Escape(before, false) + p.paint(s, Escape(mark, false)) + "  " + Escape(after, false)
	p.b.WriteString(strings.TrimRight(line, " ") + "\n")
}
