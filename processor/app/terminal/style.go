package terminal

// Style is how text stands out on a terminal with colours: the parameters of the escape sequence SGR (ECMA-48,
// 8.3.117).
type Style string

// The styles.
const (
	Plain  Style = ""
	Bold   Style = "1"
	Faint  Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	Cyan   Style = "36"
	Alarm  Style = "1;97;41" // bold white on red
)

// Paint puts text between the escape sequences that begin and end the style.
func (s Style) Paint(text string) string {
	if s == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// Severity is the style of a severity's name.
func Severity(name string) Style {
	switch name {
	case "CRITICAL":
		return Alarm
	case "HIGH":
		return Red
	case "MEDIUM":
		return Yellow
	case "LOW":
		return Cyan
	}
	return Plain
}
