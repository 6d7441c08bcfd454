package detect

import (
	"cmp"
	"time"
)

// Settings come in three layers: what a rule brings along, what the configuration says for all organisations, what it
// says for one. The lowest sets everything, so whatever has been laid over it does too, except Enabled and Runbook: nil
// is enabled, and no runbook.

// settings is the lowest layer.
func (b *builtin) settings() Settings {
	window, cooldown := time.Duration(b.window)*time.Second, time.Duration(b.cooldown)*time.Second
	window = max(window, 1) // no window
	return Settings{
		Threshold: &b.threshold, Window: &window, Cooldown: &cooldown, Severity: &b.severity, Type: &b.typ,
		Title: &b.title, Tags: b.tags,
	}
}

// over lays s over base.
func (s Settings) over(base Settings) Settings {
	return Settings{
		Enabled:   cmp.Or(s.Enabled, base.Enabled),
		Threshold: cmp.Or(s.Threshold, base.Threshold),
		Window:    cmp.Or(s.Window, base.Window),
		Cooldown:  cmp.Or(s.Cooldown, base.Cooldown),
		Severity:  cmp.Or(s.Severity, base.Severity),
		Type:      cmp.Or(s.Type, base.Type),
		Title:     cmp.Or(s.Title, base.Title),
		Runbook:   cmp.Or(s.Runbook, base.Runbook),
		Tags:      listOver(s.Tags, base.Tags),
		Except:    listOver(s.Except, base.Except),
	}
}

// over lays h over base.
func (h Hours) over(base Hours) Hours {
	return Hours{
		Zone:     cmp.Or(h.Zone, base.Zone),
		From:     cmp.Or(h.From, base.From),
		To:       cmp.Or(h.To, base.To),
		Days:     listOver(h.Days, base.Days),
		Holidays: listOver(h.Holidays, base.Holidays),
	}
}

// listOver lays a list over another. An empty one that is not nil is set: it takes away what was there.
func listOver(list, base []string) []string {
	if list != nil {
		return list
	}
	return base
}

// enabled says whether the rule is to be had.
func (s *Settings) enabled() bool { return s.Enabled == nil || *s.Enabled }

// runbook gives the address, if there is one.
func (s *Settings) runbook() string {
	if s.Runbook == nil {
		return ""
	}
	return *s.Runbook
}
