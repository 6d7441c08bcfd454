package verify_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"tocsin/processor/verify"
	"tocsin/topics"
)

// TestStringify has values as JSON.stringify(JSON.parse(x)) prints them.
func TestStringify(t *testing.T) {
	for in, want := range map[string]string{
		`null`:   `null`,
		` true `: `true`,
		`-0`:     `0`, `0.0`: `0`, `-0e9`: `0`, `1.0`: `1`, `1E2`: `100`, `1e400`: `null`, `-1e400`: `null`,
		`1e21`: `1e+21`, `1e20`: `100000000000000000000`, `123456789012345680000`: `123456789012345680000`,
		`0.000001`: `0.000001`, `1e-7`: `1e-7`, `1.5e-10`: `1.5e-10`, `-1.5`: `-1.5`, `12.50`: `12.5`,
		`5e-324`: `5e-324`, `1e-400`: `0`, `1.7976931348623157e308`: `1.7976931348623157e+308`,
		`9007199254740993`: `9007199254740992`, `0.1`: `0.1`, `1.234e21`: `1.234e+21`,
		`"\u003c<\u2028&\/"`:                         "\"<<\u2028&/\"",
		`"\u0000\u001f\u007f\u0008\u0009\u000a"`:     "\"\\u0000\\u001f\x7f\\b\\t\\n\"",
		`"\u000c\u000d\u0022\u005c\u000b"`:           `"\f\r\"\\\u000b"`,
		`"\uD83D\uDE00\uDE00\uD83D"`:                 `"😀\ude00\ud83d"`,
		`"\ud800\ud83d\ude00\ud800x"`:                `"\ud800😀\ud800x"`,
		`[ 1 , [ ] , { } , "a" ]`:                    `[1,[],{},"a"]`,
		`{"b":1,"a":2,"b":3}`:                        `{"b":3,"a":2}`,
		`{"b":1,"10":2,"9":3,"a":4,"01":5,"-1":6}`:   `{"9":3,"10":2,"b":1,"a":4,"01":5,"-1":6}`,
		`{"4294967295":1,"4294967294":2,"0":3}`:      `{"0":3,"4294967294":2,"4294967295":1}`,
		`{"\u0061":1,"a":2,"\u0031":3}`:              `{"1":3,"a":2}`,
		`{"a":{"2":[{"1":1,"0":-0}]},"__proto__":1}`: `{"a":{"2":[{"0":0,"1":1}]},"__proto__":1}`,
		`{"\ud800":1,"\ud801":2,"\uD800":3}`:         `{"\ud800":3,"\ud801":2}`,
	} {
		require.Equal(t, want, string(verify.AppendValue(nil, []byte(in))), in)
	}
}

func TestCanonicalFalsy(t *testing.T) {
	for token, want := range map[string]string{
		`""`: `null`, `null`: `null`, `0`: `null`, `-0`: `null`, `0.0e7`: `null`, `1e-400`: `null`, `false`: `null`,
		`"0"`: `"0"`, `"false"`: `"false"`, `" "`: `" "`, `[]`: `[]`, `{}`: `{}`, `true`: `true`, `1e400`: `null`, `1`: `1`,
	} {
		var e topics.Event
		_, _ = e.Decode([]byte(`{"principalId":`+token+`,"action":`+token+`}`), nil, topics.DefaultLimits())
		got := string(verify.AppendCanonical(nil, &e))
		require.Contains(t, got, "|principalId:"+want+"|status:undefined|")
		action := string(verify.AppendValue(nil, []byte(token)))
		require.True(t, strings.HasPrefix(got, "action:"+action+"|organizationId:null|"), got)
	}
}

// The oracle below prints values with encoding/json's tokens, sorting and formatting in another way than the package.

// loneMark stands for a lone surrogate while encoding/json, which would lose it, reads the text.
const loneMark = "\uE000"

var escapes = regexp.MustCompile(`(?s)\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|` +
	`\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.`)

func markLone(text string) string {
	return escapes.ReplaceAllStringFunc(text, func(s string) string {
		if len(s) == 6 && s[2]|0x20 == 'd' {
			return loneMark + strings.ToLower(s[2:])
		}
		return s
	})
}

func oracleValue(d *json.Decoder) string {
	tok, err := d.Token()
	if err != nil {
		panic(err)
	}
	switch v := tok.(type) {
	case json.Delim:
		if v == '[' {
			var items []string
			for d.More() {
				items = append(items, oracleValue(d))
			}
			_, _ = d.Token()
			return "[" + strings.Join(items, ",") + "]"
		}
		return oracleObject(d)
	case string:
		return oracleString(v)
	case json.Number:
		return oracleNumber(string(v))
	}
	return map[any]string{nil: "null", true: "true", false: "false"}[tok]
}

func oracleObject(d *json.Decoder) string {
	var names []string
	values := map[string]string{}
	for d.More() {
		tok, _ := d.Token()
		name := tok.(string)
		if _, ok := values[name]; !ok {
			names = append(names, name)
		}
		values[name] = oracleValue(d)
	}
	_, _ = d.Token()
	index := func(name string) (float64, bool) {
		n, err := strconv.ParseUint(name, 10, 64)
		return float64(n), err == nil && n < math.MaxUint32 && strconv.FormatUint(n, 10) == name
	}
	slices.SortStableFunc(names, func(a, b string) int {
		i, aOK := index(a)
		j, bOK := index(b)
		switch {
		case aOK && bOK:
			return cmp.Compare(i, j)
		case aOK:
			return -1
		case bOK:
			return 1
		}
		return 0
	})
	var parts []string
	for _, name := range names {
		parts = append(parts, oracleString(name)+":"+values[name])
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func oracleString(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			out.WriteString("\\" + string(r))
		case r < ' ' && strings.ContainsRune("\b\f\n\r\t", r):
			out.WriteString(strings.Trim(strconv.Quote(string(r)), `"`))
		case r < ' ':
			fmt.Fprintf(&out, "\\u%04x", r)
		case strings.HasPrefix(s[i:], loneMark):
			out.WriteString("\\u")
		default:
			out.WriteRune(r)
		}
	}
	return out.String() + `"`
}

func oracleNumber(text string) string {
	v, _ := strconv.ParseFloat(text, 64)
	switch abs := math.Abs(v); {
	case math.IsInf(v, 0):
		return "null"
	case v == 0:
		return "0"
	case abs < 1e-6 || abs >= 1e21:
		s := strconv.FormatFloat(v, 'e', -1, 64)
		return strings.Replace(strings.Replace(s, "e-0", "e-", 1), "e+0", "e+", 1)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func oracle(text []byte) string {
	d := json.NewDecoder(strings.NewReader(markLone(string(text))))
	d.UseNumber()
	return oracleValue(d)
}

// FuzzStringify compares the printing of any JSON value with the oracle.
func FuzzStringify(f *testing.F) {
	for _, seed := range []string{
		`{"b":1,"10":[-0,1e21,1.5e-7],"a":"\ud800\ud83d\ude00\u2028","b":{"":null}}`, `"\\u003c \\ud800"`, `123456.789e3`,
		`["\b\t\n\f\r\u0001\u007f",true,false,{"4294967295":1,"4294967294":2,"00":3,"0":4}]`, `1e-7`, `"<>&"`, `[[],{}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if !json.Valid(value) || !utf8.Valid(value) || bytes.Contains(value, []byte(loneMark)) ||
			bytes.Contains(bytes.ToLower(value), []byte(`\ue000`)) {
			return
		}
		require.Equal(t, oracle(value), string(verify.AppendValue(nil, value)))
	})
}

// FuzzCanonical compares the canonical string of an event with one arbitrary value in two of its fields.
func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`"x"`), []byte(`"\u0041"`))
	f.Add([]byte(`{"a":0}`), []byte(`-0.0`))
	f.Fuzz(func(t *testing.T, action, principal []byte) {
		for _, value := range [][]byte{action, principal} {
			if !json.Valid(value) || !utf8.Valid(value) || bytes.Contains(value, []byte(loneMark)) ||
				bytes.Contains(bytes.ToLower(value), []byte(`\ue000`)) {
				return
			}
		}
		var e topics.Event
		text := fmt.Sprintf(`{"action":%s,"principalId":%s}`, action, principal)
		r, _ := e.Decode([]byte(text), nil, topics.DefaultLimits())
		if r != topics.ReasonNone && r < topics.ReasonAmbiguousField {
			return
		}
		want := oracle(principal)
		if want == `""` || want == "false" || want == "0" {
			want = "null"
		}
		require.Equal(t, "action:"+oracle(action)+"|organizationId:null|outcomeDescription:null|principalId:"+want+
			"|status:undefined|targetResourceId:null|targetResourceType:null|timestamp:undefined",
			string(verify.AppendCanonical(nil, &e)))
	})
}
