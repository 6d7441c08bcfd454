package detect

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/topics"
)

// A copy matches what its rule matches, with settings of its own, and shares the matcher; it begins with the defaults
// of the built-in rule. One with the same settings is another rule all the same.
func TestCopies(t *testing.T) {
	three, hour := int64(3), time.Hour
	c := Default()
	c.Copies = map[string]string{"slow": "failed-auth-burst", "same": "failed-auth-burst"}
	c.Rules = map[string]Settings{"slow": {Threshold: &three, Window: &hour}, "failed-auth-burst": {Threshold: &three}}
	set, err := Compile(c)
	require.NoError(t, err)
	org := set.For(nil)
	require.Len(t, org.Rules(), 7)
	require.Equal(t, "same", org.Rules()[5].ID)
	slow, same, own := org.Find("slow"), org.Find("same"), org.Find("failed-auth-burst")
	require.EqualValues(t, 3, slow.Threshold)
	require.EqualValues(t, time.Hour, slow.Window)
	require.EqualValues(t, 5, same.Threshold)
	require.Equal(t, own.Matcher, slow.Matcher)
	require.NotEqual(t, own.Version, slow.Version)

	var e topics.Event
	r, err := e.Decode([]byte(`{"timestamp":"2026-03-02T12:00:00Z","action":"auth.login.failure","status":"failure",`+
		`"principalId":"p"}`), nil, topics.DefaultLimits())
	require.NoError(t, err, r)
	mask, _ := org.Match(&e, &Memo{})
	var ids []string
	for _, rule := range org.Select(nil, mask) {
		ids = append(ids, rule.ID)
	}
	require.Equal(t, []string{"failed-auth-burst", "same", "slow"}, ids)

	c.Copies = map[string]string{"slow": "failed-auth-burst", "other": "failed-auth-burst"}
	renamed, err := Compile(c)
	require.NoError(t, err)
	require.NotEqual(t, set.Hash(), renamed.Hash(), "the name of a copy is part of the rule set")
}

func TestCopiesAreBounded(t *testing.T) {
	c := Default()
	c.Copies = map[string]string{}
	for i := range maxCopies {
		c.Copies[fmt.Sprintf("copy-%d", i)] = "data-velocity"
	}
	_, err := Compile(c)
	require.NoError(t, err)
	c.Copies["one-more"] = "data-velocity"
	_, err = Compile(c)
	require.ErrorContains(t, err, "1001 are more than 1000")
}
