package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/processor/app/terminal"
)

func TestLook(t *testing.T) {
	for name, tc := range map[string]struct {
		env      []string
		terminal bool
		columns  int
		want     look
	}{
		"nothing known":        {nil, false, 0, look{width: 80}},
		"terminal":             {[]string{"LANG=de_DE.UTF-8", "TERM=xterm"}, true, 160, look{160, true, true}},
		"no colour":            {[]string{"LANG=C.utf8", "NO_COLOR=1"}, true, 100, look{100, false, true}},
		"empty is not set":     {[]string{"NO_COLOR="}, true, 100, look{100, true, false}},
		"dumb":                 {[]string{"TERM=dumb"}, true, 100, look{100, false, false}},
		"piped":                {[]string{"LANG=C.UTF-8", "COLUMNS=120"}, false, 0, look{120, false, true}},
		"the terminal knows":   {[]string{"COLUMNS=120"}, true, 90, look{90, true, false}},
		"the stronger locale":  {[]string{"LANG=C.UTF-8", "LC_ALL=C"}, true, 90, look{90, true, false}},
		"an empty one is none": {[]string{"LANG=C.UTF-8", "LC_ALL="}, true, 90, look{90, true, true}},
		"narrow":               {nil, true, 10, look{40, true, false}},
	} {
		e := environment{environ: tc.env, stdoutTerminal: tc.terminal, columns: tc.columns}
		require.Equal(t, tc.want, e.look(), name)
	}
}

func TestGrid(t *testing.T) {
	draw := func(l look) string {
		var b bytes.Buffer
		g := grid{w: &b, look: l, columns: []column{{title: "WHAT", width: 10}, {title: "N", width: 3, right: true}}}
		g.head()
		g.row([]line{{"two words\x1b[2J", terminal.Red}, {"more", terminal.Plain}}, []line{{"7", terminal.Plain}})
		require.NoError(t, g.end())
		return b.String()
	}
	require.Equal(t, strings.Join([]string{
		"+------------+-----+",
		"| WHAT       |   N |",
		"+------------+-----+",
		"| two        |   7 |",
		`| words\x1b[ |     |`,
		"| 2J         |     |",
		"| more       |     |",
		"+------------+-----+", "",
	}, "\n"), draw(look{width: 80}))
	boxes := draw(look{width: 80, boxes: true})
	require.Contains(t, boxes, "┌────────────┬─────┐\n│ WHAT       │   N │\n")
	require.NotContains(t, boxes, "\x1b")
	require.Contains(t, draw(look{width: 80, colour: true}), "\x1b[31mtwo\x1b[0m        ")
}
