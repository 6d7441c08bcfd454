package main

import (
	"fmt"
	"regexp"
	"strings"
)

// page is a Markdown file, taken apart.
type page struct {
	name     string
	blocks   []block
	commands []command
	typed    int    // lines of indented blocks that are commands
	indented string // why they are not run
}

// block is a fenced block that is run.
type block struct {
	line   int // of the fence, from 1
	text   string
	given  string // run before it, and not shown
	reason string // why it is not run; empty: it is
	shown  []shown
}

// shown is what the page says that a block printed.
type shown struct {
	line int
	text string
}

// command is a call of the program that a page names anywhere else.
type command struct {
	line int
	args []string
}

var (
	marks    = regexp.MustCompile(`(?s)^<!-- (not run|given|indented): (.*?)\s*-->$`)
	inline   = regexp.MustCompile("`(?:bin/)?tocsin ([^`]+)`")
	called   = regexp.MustCompile(`^ {4,}(?:.*(?:\| |<\(| /))?(?:bin/)?tocsin ([^|>)<#]*)`)
	typed    = regexp.MustCompile(`^ {4,}(?:\$ )?(?:(?:bin/)?tocsin|make|go|source|docker|podman|kubectl|curl|psql) `)
	capitals = regexp.MustCompile(`^[A-Z]+$`)
	shellish = regexp.MustCompile(`^(bash|shell|console|zsh|sh-session|shell-session)\b`)
)

// parse takes a page apart. Its errors are the author's mistakes.
func parse(name, text string) (*page, error) {
	p := &page{name: name}
	lines := strings.Split(text, "\n")
	var reason, given string // of the next block
	for i := 0; i < len(lines); i++ {
		line, at := lines[i], i+1
		switch {
		case strings.HasPrefix(line, "<!-- "):
			comment := line
			for !strings.HasSuffix(strings.TrimSpace(comment), "-->") && i+1 < len(lines) {
				i++
				comment += "\n" + lines[i]
			}
			m := marks.FindStringSubmatch(strings.TrimSpace(comment))
			if m == nil {
				return nil, fmt.Errorf("%s:%d: a comment that begins with none of: not run, given, indented", name, at)
			}
			switch m[1] {
			case "not run":
				reason = m[2]
			case "given":
				given = m[2] + "\n"
			case "indented":
				p.indented = m[2]
			}
		case strings.HasPrefix(line, "```"):
			var body strings.Builder
			for i++; i < len(lines) && !strings.HasPrefix(lines[i], "```"); i++ {
				body.WriteString(lines[i] + "\n")
			}
			if i == len(lines) {
				return nil, fmt.Errorf("%s:%d: the block has no end", name, at)
			}
			if err := p.fenced(at, strings.TrimPrefix(line, "```"), body.String(), reason, given); err != nil {
				return nil, err
			}
			reason, given = "", ""
		default:
			if strings.TrimSpace(line) != "" && reason+given != "" {
				return nil, fmt.Errorf("%s:%d: the comment before this line belongs to no block", name, at)
			}
			p.named(at, line)
		}
	}
	return p, nil
}

func (p *page) fenced(at int, kind, body, reason, given string) error {
	switch {
	case kind == "sh":
		p.blocks = append(p.blocks, block{line: at, text: body, reason: reason, given: given})
	case kind == "text":
		if len(p.blocks) == 0 {
			return fmt.Errorf("%s:%d: shows what a block printed, and there is none before it", p.name, at)
		}
		last := &p.blocks[len(p.blocks)-1]
		if last.reason != "" {
			return fmt.Errorf("%s:%d: shows what a block printed that is not run", p.name, at)
		}
		last.shown = append(last.shown, shown{at, body})
	case shellish.MatchString(kind):
		return fmt.Errorf("%s:%d: %s is written sh here", p.name, at, kind)
	case reason+given != "":
		return fmt.Errorf("%s:%d: only blocks of sh are run", p.name, at)
	}
	return nil
}

// named notes the calls of the program in a line of prose, or in an indented block.
func (p *page) named(at int, line string) {
	m := called.FindStringSubmatch(line)
	if m != nil || typed.MatchString(line) {
		p.typed++
	}
	if m != nil {
		p.commands = append(p.commands, command{at, words(m[1])})
		return
	}
	for _, m := range inline.FindAllStringSubmatch(line, -1) {
		p.commands = append(p.commands, command{at, words(m[1])})
	}
}

// words are the arguments of a call, as far as they are more than places to fill in.
func words(text string) (all []string) {
	for _, word := range strings.Fields(text) {
		if strings.ContainsAny(word, "…|<>[") || strings.HasPrefix(word, "#") || strings.HasPrefix(word, "&") {
			if last := len(all) - 1; last >= 0 && strings.HasPrefix(all[last], "--") && strings.Contains(word, "…") {
				all = all[:last] // a flag whose value is left out
			}
			break
		}
		word = strings.Trim(word, `"'`)
		if capitals.MatchString(word) { // a place to fill in, as in --partition N
			word = "1"
		}
		all = append(all, word)
	}
	return all
}
