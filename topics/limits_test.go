package topics_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

// TestLargest: a record of exactly the limit is good, one byte more is not.
func TestLargest(t *testing.T) {
	limit := topics.DefaultLimits().MaxBytes
	head := minimal + `,"x":"`
	value := head + strings.Repeat("x", limit-len(head)-2) + `"}`
	require.Len(t, value, 1<<20)
	good(t, value)
	_, r, err := decode(value + " ")
	require.Equal(t, topics.ReasonTooLarge, r)
	require.ErrorContains(t, err, "1048577 bytes, the limit is 1048576")

	head = minimal + `,"principalId":"`
	value = head + strings.Repeat(`\u0041`, (limit-len(head)-2)/6) + `"}`
	e := good(t, value)
	require.Equal(t, strings.Repeat("A", (limit-len(head)-2)/6), string(e.PrincipalID))

	members := make([]byte, 0, limit)
	members = append(members, minimal...)
	for n := 0; len(members) < limit-20; n++ {
		members = fmt.Appendf(members, `,"%d":%d`, n, n)
	}
	good(t, string(append(members, '}')))
}

func TestDepthLimit(t *testing.T) {
	nested := func(n int) string { // n levels in all
		return minimal + `,"x":` + strings.Repeat(`[{"a":`, n/2) + "1" + strings.Repeat("}]", n/2) + "}"
	}
	good(t, nested(31))
	_, r, _ := decode(nested(33))
	require.Equal(t, topics.ReasonTooDeep, r)
	var e topics.Event
	for depth, want := range map[int]topics.Reason{1: topics.ReasonTooDeep, 2: topics.ReasonNone} {
		value := []byte(minimal + `,"sessionContext":{}}`)
		r, err := e.Decode(value, nil, topics.Limits{MaxBytes: 1000, MaxDepth: depth})
		require.Equal(t, want, r, "%v", err)
	}
	for _, n := range []int{62, 64, 66, 126, 128, 130, 1000} { // the bracket stack grows in words of 64
		r, err := e.Decode([]byte(nested(n)), nil, topics.Limits{MaxBytes: 1 << 20, MaxDepth: n + 1})
		require.Equal(t, topics.ReasonNone, r, "%v", err)
		broken := strings.Replace(nested(n), "1}]", "1]}", 1)
		r, _ = e.Decode([]byte(broken), nil, topics.Limits{MaxBytes: 1 << 20, MaxDepth: n + 1})
		require.Equal(t, topics.ReasonNotJSON, r)
	}
}

// TestManyHeaders: 10,000 headers cost one pass, whatever they are.
func TestManyHeaders(t *testing.T) {
	headers := make([]topics.Header, 10_000)
	for i := range headers {
		switch i % 4 {
		case 0:
			headers[i] = topics.Header{Key: fmt.Sprintf("h%d", i), Value: []byte("x")}
		case 1:
			headers[i] = topics.Header{Key: "source", Value: []byte("s")}
		case 2:
			headers[i] = topics.Header{Key: "content-typo"}
		case 3:
			headers[i] = topics.Header{Key: "traceparent", Value: []byte("x")}
		}
	}
	e := good(t, minimal+"}", headers...)
	require.Equal(t, "s", string(e.Source))

	allocs := testing.AllocsPerRun(10, func() {
		if r, _ := e.Decode([]byte(nil), headers, topics.DefaultLimits()); r != topics.ReasonNotJSON {
			t.Fail()
		}
	})
	require.Less(t, allocs, 10.0)
}

func TestNoAllocations(t *testing.T) {
	value := []byte(typical)
	escaped := []byte(minimal + `,"principalId":"\ud83d\ude00","outcomeDescription":"a\nb"}`)
	var e topics.Event
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for _, v := range [][]byte{value, escaped} {
			if r, err := e.Decode(v, nil, topics.DefaultLimits()); r != topics.ReasonNone {
				t.Fatal(err)
			}
			e.Identity()
		}
	}))
}
