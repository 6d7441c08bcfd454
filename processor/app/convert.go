package app

import (
	"fmt"
	"slices"
	"time"

	"tocsin/processor"
	"tocsin/processor/detect"
	"tocsin/processor/verify"
)

// Detect gives what the rules are compiled from.
func (c *Config) Detect() detect.Config {
	d := detect.Config{
		Grace: time.Duration(c.Detection.Grace), FutureSkew: time.Duration(c.Detection.FutureSkew),
		MaxEpisode: time.Duration(c.Detection.MaxEpisode), StateTTL: time.Duration(c.State.TTL),
		Hours: c.Detection.Hours.detect(), DenialCodes: c.Detection.DenialCodes, DenialPhrases: c.Detection.DenialPhrases,
		Copies:        c.Detection.Copies,
		Rules:         detectRules(c.Rules),
		Organizations: map[string]detect.Organization{},
	}
	for name, o := range c.Organizations {
		d.Organizations[name] = detect.Organization{Hours: o.Hours.detect(), Rules: detectRules(o.Rules)}
	}
	return d
}

func (h HoursConfig) detect() detect.Hours {
	return detect.Hours{Zone: h.Zone, From: h.From, To: h.To, Days: h.Days, Holidays: h.Holidays}
}

func detectRules(rules map[string]RuleConfig) map[string]detect.Settings {
	out := make(map[string]detect.Settings, len(rules))
	for id, r := range rules {
		s := detect.Settings{
			Enabled: r.Enabled, Threshold: r.Threshold, Window: std(r.Window), Cooldown: std(r.Cooldown),
			Severity: r.Severity, Type: r.Type, Title: r.Title, Runbook: r.Runbook, Tags: r.Tags, Except: r.Except,
		}
		if s.Window != nil && *s.Window == 0 {
			s.Window = nil // no window of its own: the rule's form for threshold 1
		}
		out[id] = s
	}
	return out
}

// Verifier gives how events are verified.
func (c *Config) Verifier() (verify.Config, error) {
	v := verify.Config{KeyID: c.Verify.HMACKeyID, Organizations: map[string]verify.Organization{}}
	if c.Verify.HMACSecret.Set() {
		v.Secret = []byte(c.Verify.HMACSecret.Reveal())
	}
	var err error
	if v.Require, err = verify.ParseRequire(c.Verify.Require); err != nil {
		return v, fmt.Errorf("verify: %w", err)
	}
	if v.Unverifiable, err = verify.ParseUnverifiable(c.Verify.Unverifiable); err != nil {
		return v, fmt.Errorf("verify: %w", err)
	}
	if v.Sources, err = requires(c.Verify.Sources); err != nil {
		return v, fmt.Errorf("verify.sources: %w", err)
	}
	for name, o := range c.Organizations {
		var org verify.Organization
		if o.Require != nil {
			r, err := verify.ParseRequire(*o.Require)
			if err != nil {
				return v, fmt.Errorf("organizations.%s: %w", name, err)
			}
			org.Require = &r
		}
		if org.Sources, err = requires(o.Sources); err != nil {
			return v, fmt.Errorf("organizations.%s.sources: %w", name, err)
		}
		v.Organizations[name] = org
	}
	return v, nil
}

func requires(in map[string]string) (map[string]verify.Require, error) {
	out := make(map[string]verify.Require, len(in))
	for source, name := range in {
		r, err := verify.ParseRequire(name)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", source, err)
		}
		out[source] = r
	}
	return out, nil
}

// EvidenceOff lists the organisations whose evidence records are not copied.
func (c *Config) EvidenceOff() []string {
	var off []string
	for name, o := range c.Organizations {
		if o.Evidence != nil && !*o.Evidence {
			off = append(off, name)
		}
	}
	slices.Sort(off)
	return off
}

// Internal topics, named after the application id.
func (c *Config) changelogTopic() string { return c.App.ID + "-window-changelog" }
func (c *Config) sealsTopic() string     { return c.App.ID + "-seals" }

// processorTopics are the topics the processor reads and writes.
func (c *Config) processorTopics() processor.Topics {
	return processor.Topics{
		Input: c.Topics.Input, Alerts: c.Topics.Alerts, DeadLetter: c.Topics.DeadLetter,
		Changelog: c.changelogTopic(), Seals: c.sealsTopic(),
	}
}

// sinkGroup is the consumer group of the sinks. The processor's is the application id itself.
func (c *Config) sinkGroup() string { return c.App.ID + "-sink" }

// countersGroup is that of the processes that count alerts in Redis.
func (c *Config) countersGroup() string { return c.App.ID + "-counters" }
