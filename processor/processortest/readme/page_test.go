package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	p, err := parse("a.md", strings.ReplaceAll(`# Title

<!-- indented: needs a cluster -->

    picture | tocsin ingest -o json -     # a comment
    tocsin offsets apply --partition N && rm x
    docker compose exec -T tocsin /tocsin alerts ls <x
    kubectl -n tocsin get pods

Prose with 'tocsin alerts show ID' and 'tocsin alerts ls --since …'.

<!-- given: touch a
touch b -->
'''sh
cat a
'''

Prose.

'''text
printed
'''

<!-- not run: because -->
'''sh
rm a
'''

'''yaml
a: b
'''
`, "'", "`"))
	require.NoError(t, err)
	require.Equal(t, []block{
		{line: 14, text: "cat a\n", given: "touch a\ntouch b\n", shown: []shown{{20, "printed\n"}}},
		{line: 25, text: "rm a\n", reason: "because"},
	}, p.blocks)
	require.Equal(t, "needs a cluster", p.indented)
	require.Equal(t, 4, p.typed)
	require.Equal(t, []command{
		{5, []string{"ingest", "-o", "json", "-"}},
		{6, []string{"offsets", "apply", "--partition", "1"}},
		{7, []string{"alerts", "ls"}},
		{10, []string{"alerts", "show", "1"}},
		{10, []string{"alerts", "ls"}},
	}, p.commands)
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"```sh\ntrue\n":                                           "a.md:1: the block has no end",
		"```bash\ntrue\n```\n":                                    "a.md:1: bash is written sh here",
		"```text\nout\n```\n":                                     "a.md:1: shows what a block printed, and there is none before it",
		"<!-- todo -->\n":                                         "a.md:1: a comment that begins with none of",
		"<!-- not run: why -->\nProse\n":                          "a.md:2: the comment before this line belongs to no block",
		"<!-- given: true -->\n```yaml\na: b\n```\n":              "a.md:2: only blocks of sh are run",
		"<!-- not run: why -->\n```sh\nx\n```\n```text\ny\n```\n": "a.md:5: shows what a block printed that is not run",
	} {
		_, err := parse("a.md", text)
		require.ErrorContains(t, err, want)
	}
}

func TestShows(t *testing.T) {
	const printed = "starting 1 of 3\rstarting 3 of 3\n\x1b[1mWHEN  COUNT\x1b[0m\n" +
		"2026-11-23 05:36:38.053 UTC   140\n\nid f33a83cf7e783668722973ac4429fdb8 in 1m2.5s\nat 127.0.0.1:10065, end\n"
	for text, ok := range map[string]bool{
		"starting 3 of 3\nWHEN COUNT\n":                                    true,  // what a line was last, without colours
		"starting 1 of 3\n":                                                false, // overwritten
		"2030-01-01 00:00:00 UTC 140\n":                                    true,  // another time
		"2030-01-01 00:00:00 UTC 141\n":                                    false, // another count
		"WHEN COUNT\nid 0123456789abcdef0123456789abcdef in 3s\n":          false, // something is between them
		"WHEN COUNT\n…\nid 0123456789abcdef0123456789abcdef in 3s\n":       true,
		"id 0123456789abcdef0123456789abcdef in 3s\n…\nWHEN COUNT\n":       false, // the other way round
		"at 127.0.0.1:9464, …d\n":                                          true,
		"at 127.0.0.1:9464, …x\n":                                          false,
		"…nd\n":                                                            true,
		"starting 3 of 3\n…\nWHEN COUNT\n…\nat 127.0.0.1:1, end\n…\nend\n": false,
	} {
		err := shows(text, printed)
		require.Equal(t, ok, err == nil, "%q: %v", text, err)
	}
}

func TestFollow(t *testing.T) {
	results := make([]ran, 3)
	finished, err := follow(strings.NewReader("before\n\x1e0\x1e\na\nno line feed\x1e2\x1e\nb\n"), results)
	require.NoError(t, err)
	require.False(t, finished)
	require.Equal(t, "a\nno line feed", string(results[0].printed))
	require.True(t, results[0].ended)
	require.False(t, results[1].began)
	require.Equal(t, "b\n", string(results[2].printed))
	require.True(t, results[2].began && !results[2].ended)
}

// The script leaves out what is not to be run, and nothing else.
func TestScript(t *testing.T) {
	text := script(&page{blocks: []block{
		{text: "make demo\nmake test    # all\nmake testing\n", given: "touch a\n"},
		{text: "rm -r /\n", reason: "because"},
	}})
	require.Contains(t, text, "touch a\nprintf '\\0360\\036\\n'\nmake demo\n:\nmake testing\nprintf '\\036end\\036\\n'\n")
	require.NotContains(t, text, "rm -r")
}
