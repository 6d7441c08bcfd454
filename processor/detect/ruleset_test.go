package detect_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tocsin/processor/detect"
	"tocsin/topics"
)

func decode(t testing.TB, text string) *topics.Event {
	t.Helper()
	e := new(topics.Event)
	reason, err := e.Decode([]byte(text), nil, topics.DefaultLimits())
	require.NoError(t, err)
	require.Equal(t, topics.ReasonNone, reason)
	return e
}

// matched gives the ids of the rules that an event of organisation org meets.
func matched(t testing.TB, s *detect.RuleSet, fields string) (ids []string, exempted bool) {
	t.Helper()
	e := decode(t, `{"timestamp":"2026-03-02T12:00:00Z",`+fields+`}`)
	o := s.For(e.OrganizationID)
	mask, exempt := o.Match(e, new(detect.Memo))
	for _, r := range o.Select(nil, mask) {
		ids = append(ids, r.ID)
	}
	return ids, exempt != 0
}

func ptr[T any](v T) *T { return &v }

func TestBuiltinMatches(t *testing.T) {
	s, err := detect.Compile(detect.Default())
	require.NoError(t, err)
	for _, c := range []struct {
		fields string
		want   []string
	}{
		{`"action":"auth.login.failure","status":"failure"`, []string{"failed-auth-burst"}},
		{`"action":"web.auth.login.failure.mfa","status":"failure"`, []string{"failed-auth-burst"}},
		{`"action":"auth.login.failure","status":"success"`, nil},
		{`"action":"Auth.Login.Failure","status":"failure"`, nil},
		{`"action":"x","status":"failure","errorCode":"AccessDenied"`, []string{"unauthorized-access"}},
		{`"action":"x","status":"failure","errorCode":"accessdenied"`, nil},
		{`"action":"x","status":"failure","errorCode":"Other","outcomeDescription":"AccessDenied: no"`, nil},
		{`"action":"x","status":"failure","reasonCode":"AccessDenied"`, []string{"unauthorized-access"}},
		{`"action":"x","status":"failure","errorCode":"","reasonCode":"NotAuthorized"`, []string{"unauthorized-access"}},
		{`"action":"x","status":"failure","outcomeDescription":"AccessDenied: no"`, []string{"unauthorized-access"}},
		{`"action":"x","status":"failure","outcomeDescription":"AccessDenied"`, []string{"unauthorized-access"}},
		{`"action":"x","status":"failure","outcomeDescription":"is ACCESS Denied here"`, []string{"unauthorized-access"}},
		{`"action":"x","status":"failure","outcomeDescription":"User: a is not authorized to perform: b"`, []string{"unauthorized-access"}},
		{`"action":"x","status":"attempt","outcomeDescription":"forbidden"`, nil},
		{`"action":"data.read","status":"success"`, []string{"data-velocity"}},
		{`"action":"fhir.patient.read","status":"success"`, []string{"data-velocity"}},
		{`"action":"x","status":"success","targetResourceType":"Patient"`, []string{"data-velocity"}},
		{`"action":"x","status":"success","targetResourceType":""`, nil},
		{`"action":"auth.x","status":"success","targetResourceType":"Patient"`, nil},
		{`"action":"x","status":"failure","targetResourceType":"Patient"`, nil},
		{`"action":"data.export","status":"failure"`, []string{"bulk-operation"}},
		{`"action":"x","status":"attempt","recordCount":10}`[:len(`"action":"x","status":"attempt","recordCount":10`)], nil},
		{`"action":"x","status":"attempt","recordCount":10.5`, []string{"bulk-operation"}},
		{`"action":"mybulkjob","status":"success","targetResourceType":"T"`, []string{"data-velocity", "bulk-operation"}},
	} {
		got, exempt := matched(t, s, c.fields)
		require.Equal(t, c.want, got, c.fields)
		require.False(t, exempt)
	}
}

func TestOffHours(t *testing.T) {
	c := detect.Default()
	c.Organizations = map[string]detect.Organization{
		"berlin": {Hours: detect.Hours{Zone: "Europe/Berlin"}},
		"office": {Hours: detect.Hours{Days: []string{"mon", "tue", "wed", "thu", "fri"}, Holidays: []string{"2026-12-25"}, From: "18:00", To: "08:00"}},
		"day":    {Hours: detect.Hours{From: "08:00", To: "18:00"}},
	}
	s, err := detect.Compile(c)
	require.NoError(t, err)
	for _, c := range []struct {
		org, at string
		off     bool
	}{
		{"utc", "2026-03-02T21:59:59.999Z", false},
		{"utc", "2026-03-02T22:00:00Z", true},
		{"utc", "2026-03-03T05:59:59Z", true},
		{"utc", "2026-03-03T06:00:00Z", false},
		{"utc", "2026-03-03T06:00:00+02:00", true}, // 04:00 UTC
		{"berlin", "2026-01-15T20:59:59Z", false},
		{"berlin", "2026-01-15T21:00:00Z", true},  // winter: UTC+1
		{"berlin", "2026-07-15T20:00:00Z", true},  // summer: UTC+2
		{"berlin", "2026-03-29T00:59:59Z", true},  // the night of the change
		{"berlin", "2026-03-29T04:00:00Z", false}, // 06:00 summer time
		{"office", "2026-03-02T12:00:00Z", false}, // Monday noon
		{"office", "2026-02-28T12:00:00Z", true},  // Saturday noon
		{"office", "2026-12-25T12:00:00Z", true},  // holiday
		{"office", "2026-12-24T12:00:00Z", false},
		{"day", "2026-03-02T12:00:00Z", true},
		{"day", "2026-03-02T18:00:00Z", false},
	} {
		e := decode(t, `{"timestamp":"`+c.at+`","action":"data.read","status":"success","organizationId":"`+c.org+`"}`)
		o := s.For(e.OrganizationID)
		mask, _ := o.Match(e, new(detect.Memo))
		off := false
		for _, r := range o.Select(nil, mask) {
			off = off || r.ID == "off-hours-access"
		}
		require.Equal(t, c.off, off, "%s %s", c.org, c.at)
	}
}

func TestOverrides(t *testing.T) {
	c := detect.Default()
	c.Rules = map[string]detect.Settings{"failed-auth-burst": {Threshold: ptr(int64(7)), Except: []string{"svc-*", "*-probe", "a*b*c"}},
		"off-hours-access": {Enabled: ptr(false)}}
	c.Organizations = map[string]detect.Organization{"acme": {Rules: map[string]detect.Settings{
		"failed-auth-burst": {Window: ptr(time.Minute), Severity: ptr("LOW")}}}}
	s, err := detect.Compile(c)
	require.NoError(t, err)
	def, acme := s.For([]byte("x")).Find("failed-auth-burst"), s.For([]byte("acme")).Find("failed-auth-burst")
	require.EqualValues(t, 7, def.Threshold)
	require.EqualValues(t, 7, acme.Threshold)
	require.EqualValues(t, time.Minute, acme.Window)
	require.Equal(t, "LOW", acme.Severity)
	require.NotEqual(t, def.Version, acme.Version)
	require.Equal(t, def.Matcher, acme.Matcher)
	require.Nil(t, s.For(nil).Find("off-hours-access"))
	for _, p := range []struct {
		principal string
		exempt    bool
	}{{"svc-backup", true}, {"svc", false}, {"my-probe", true}, {"xsvc-", false}, {"abc", true}, {"a--b--c", true}, {"acb", false}, {"ab", false}} {
		ids, exempt := matched(t, s, `"action":"auth.login.failure","status":"failure","principalId":"`+p.principal+`"`)
		require.Equal(t, p.exempt, exempt, p.principal)
		require.Equal(t, p.exempt, len(ids) == 0, p.principal)
	}
}

// TestVersion: the version covers what a rule finds and nothing that only says how it is shown.
func TestVersion(t *testing.T) {
	version := func(change func(*detect.Config)) [8]byte {
		c := detect.Default()
		change(&c)
		s, err := detect.Compile(c)
		require.NoError(t, err)
		return s.For(nil).Find("unauthorized-access").Version
	}
	rule := func(set detect.Settings) func(*detect.Config) {
		return func(c *detect.Config) { c.Rules = map[string]detect.Settings{"unauthorized-access": set} }
	}
	base := version(func(*detect.Config) {})
	for name, change := range map[string]func(*detect.Config){
		"title":    rule(detect.Settings{Title: ptr("other")}),
		"severity": rule(detect.Settings{Severity: ptr("LOW")}),
		"tags":     rule(detect.Settings{Tags: []string{"a"}}),
		"zone":     func(c *detect.Config) { c.Hours.Zone = "Europe/Berlin" }, // of no concern to this rule
		"order":    func(c *detect.Config) { c.DenialCodes[0], c.DenialCodes[1] = c.DenialCodes[1], c.DenialCodes[0] },
	} {
		require.Equal(t, base, version(change), name)
	}
	for name, change := range map[string]func(*detect.Config){
		"threshold":   rule(detect.Settings{Threshold: ptr(int64(4))}),
		"window":      rule(detect.Settings{Window: ptr(time.Minute)}),
		"cooldown":    rule(detect.Settings{Cooldown: ptr(time.Minute)}),
		"except":      rule(detect.Settings{Except: []string{"x"}}),
		"codes":       func(c *detect.Config) { c.DenialCodes = c.DenialCodes[1:] },
		"phrases":     func(c *detect.Config) { c.DenialPhrases = nil },
		"grace":       func(c *detect.Config) { c.Grace++ },
		"max_episode": func(c *detect.Config) { c.MaxEpisode = time.Hour },
	} {
		require.NotEqual(t, base, version(change), name)
	}
}

func TestCompileErrors(t *testing.T) {
	for want, change := range map[string]func(*detect.Config){
		`rule "nope" does not exist`: func(c *detect.Config) { c.Rules = map[string]detect.Settings{"nope": {}} },
		`organization "a": rule failed-auth-burst: threshold: 0`: func(c *detect.Config) {
			c.Organizations = map[string]detect.Organization{"a": {Rules: map[string]detect.Settings{"failed-auth-burst": {Threshold: ptr(int64(0))}}}}
		},
		`zone "Mars/Base"`:    func(c *detect.Config) { c.Hours.Zone = "Mars/Base" },
		`time of day "25:00"`: func(c *detect.Config) { c.Hours.From = "25:00" },
		`severity: "BAD"`: func(c *detect.Config) {
			c.Rules = map[string]detect.Settings{"data-velocity": {Severity: ptr("BAD")}}
		},
	} {
		c := detect.Default()
		change(&c)
		_, err := detect.Compile(c)
		require.ErrorContains(t, err, want)
	}
}
