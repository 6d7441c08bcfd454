package narrate

import (
	"fmt"
	"maps"
	"slices"

	"tocsin/processor/sink"
	"tocsin/topics"
)

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// claims collects what is proven and what is open.
type claims struct{ proven, open []string }

func (c *claims) prove(format string, args ...any) {
	c.proven = append(c.proven, fmt.Sprintf(format, args...))
}
func (c *claims) leave(format string, args ...any) {
	c.open = append(c.open, fmt.Sprintf(format, args...))
}

// proof says what the alert's own fields prove and what they leave open.
func proof(d *sink.Detail, o Options) (proven, open []string) {
	var c claims
	a := &d.Alert
	c.events(a, o)
	if a.OrganizationTrusted {
		c.outcomes(a)
		c.counts(a)
	} else {
		c.integrity(a)
	}
	c.copies(d, o)
	if a.Mode == topics.ModeReplay {
		c.leave("That it was raised at the time: it comes of a replay, the log judged again.")
	}
	s := "Anything by this page: it repeats what was found when the events were judged, and recomputes nothing."
	if _, _, ok := stretch(a.Evidence); ok && o.Organization == "" {
		s += " The replay below does."
	}
	c.leave("%s", s)
	return c.proven, c.open
}

// events says which of the events counted are named.
func (c *claims) events(a *topics.Alert, o Options) {
	n, all := int64(len(a.Evidence)), a.Count
	if n == 0 {
		c.leave("Which events these are: the alert names none.")
		return
	}
	hashes := " and by the SHA-256 of what they say"
	if !a.OrganizationTrusted && o.Organization != "" {
		hashes = "; their hashes are shown to operators only"
	}
	c.prove("Which events these are: %s by place in the log (topic, partition, offset)%s. Whoever reads the log there"+
		" must find the same.", someNamed(n, all), hashes)
	if n < all {
		c.leave("Which the other %s are: the alert lists the first 100 that made it and the last 10. The log has them all.",
			number(all-n, "event"))
	}
}

func someNamed(n, all int64) string {
	if n >= all && all == 1 {
		return "it is named"
	}
	return some(n, all, "event") + " are named"
}

// outcomes says what the verification of counted events came to.
func (c *claims) outcomes(a *topics.Alert) {
	var all int64
	for _, n := range a.Verification {
		all += n
	}
	each := func(o topics.Outcome, do func(who string, n int64)) {
		if n := a.Verification[o.String()]; n > 0 {
			do(some(n, all, "event"), n)
		}
	}
	each(topics.OutcomeVerified, func(who string, n int64) {
		c.prove("Who vouches for them: hash and signature of %s are right. Whoever wrote %s has the signing key.", who,
			themOr(n))
	})
	each(topics.OutcomeHashOnly, func(who string, n int64) {
		c.prove("That %s %s, undamaged since it was made.", who, fitsOr(n))
		c.leave("Who wrote %s that state a hash only: no signature was checked, and whoever can write to the topic can make"+
			" a hash.", who)
	})
	each(topics.OutcomeUnsigned, func(who string, n int64) {
		c.leave("That %s %s what the producer wrote: neither hash nor signature came with %s.", who, isOr(n), themOr(n))
	})
	each(topics.OutcomeUnverifiable, func(who string, n int64) {
		c.leave("Who wrote %s: the key or algorithm %s is not known here, and the rules count %s all the same"+
			" (verify.unverifiable).", who, namesOr(n), themOr(n))
	})
}

// integrity says what an alert about failed verification proves.
func (c *claims) integrity(a *topics.Alert) {
	n := number(a.Count, "event")
	switch kind := a.Group["kind"]; {
	case kind == "tampered" || kind == "" && a.Verification["tampered"] > 0:
		c.prove("That %s %s not match the hash stated: event or hash was changed after hashing, or the producer hashes"+
			" wrongly.", n, doOr(a.Count))
		c.leave("Who changed what, and what was there before.")
	case kind == "forged" || kind == "" && a.Verification["forged"] > 0:
		c.prove("That the signature of %s is not by the key it claims, though the hash is right.", n)
		c.leave("Who made the signature.")
	case kind == "unverifiable":
		c.prove("That %s %s a key or an algorithm that is not known here.", n, nameOr(a.Count))
		c.leave("Whether the events are right: a new key that nobody has told us of looks the same.")
	case kind == "id_conflict":
		c.prove("That %s %s the id of an earlier event, with other content (other hashes).", n, haveOr(a.Count))
		c.leave("Which of the two is the right one. Both were judged.")
	case kind == "signing_downgrade":
		c.prove("That a source that had signed at least 100 events in this partition stopped: %s came unsigned.", n)
		c.leave("Whether the source was changed on purpose, or somebody else writes in its name.")
	}
	c.leave("Organisation, principal and source: these are what the events claim.")
}

// counts says how good the count is.
func (c *claims) counts(a *topics.Alert) {
	if a.Approximate {
		c.leave("The exact count: there were more than 10,000 matches to remember one by one, and older ones are counted by" +
			" time bucket. A second delivery of one of those may count again.")
	} else {
		c.prove("The count: %s, each once. A second delivery does not count.", number(a.Count, "event"))
	}
	c.leave("That there were no more: what came too late or could not be read was set aside uncounted (see the dead" +
		" letters), and times are those that producers state.")
	if _, ok := a.Group["principal"]; !ok {
		c.leave("Who it was: the events name no principal.")
	}
}

// copies says whether the proof outlives the topic.
func (c *claims) copies(d *sink.Detail, o Options) {
	listed := int64(len(d.Alert.Evidence))
	if listed == 0 {
		return
	}
	if len(d.Evidence) == 0 {
		if o.Organization != "" && !d.OrganizationTrusted {
			c.leave("What the records say: they are shown to operators only.")
		} else {
			c.leave("Anything once the log has forgotten: no copies of the records were made.")
		}
		return
	}
	by := map[string]int64{}
	for i := range d.Evidence {
		by[d.Evidence[i].Status]++
	}
	if n := by["copied"]; n > 0 {
		c.prove("The records themselves: copies of %s are in the database, and outlive the log.",
			some(n, int64(len(d.Evidence)), "record"))
	}
	for _, s := range []struct{ status, text string }{
		{"pending", "%s: still to be copied into the database (within a minute, as a rule)."},
		{"digest", "%s: too large to be copied; their SHA-256 is kept, the record only as long as the log has it."},
		{"gone", "%s: had left the log before they were copied. Their hashes remain."},
		{"off", "%s: not copied, which is switched off for this organisation. The log alone has them."},
		{"erased", "%s: erased from the database. Their hashes remain."},
	} {
		if n := by[s.status]; n > 0 {
			c.leave(s.text, number(n, "record"))
		}
	}
}

func themOr(n int64) string  { return pick(n, "it", "them") }
func isOr(n int64) string    { return pick(n, "is", "are") }
func doOr(n int64) string    { return pick(n, "does", "do") }
func haveOr(n int64) string  { return pick(n, "has", "have") }
func nameOr(n int64) string  { return pick(n, "names", "name") }
func namesOr(n int64) string { return pick(n, "it names", "they name") }
func fitsOr(n int64) string  { return pick(n, "fits the hash it states", "fit the hash they state") }

func pick(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
