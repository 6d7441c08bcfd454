package hospital

import (
	"fmt"
	"strings"
)

// Settings is the part of a configuration file that the network needs: zones, working hours, rosters and exceptions,
// with their reasons.
func (d *Day) Settings() string {
	var b strings.Builder
	b.WriteString(`# Services work day and night, and in bulk. They are judged for everything else.
rules:
  data-velocity: {except: ["svc-*"]}
  bulk-operation: {except: ["svc-*"]}
  off-hours-access: {except: ["svc-*"]}

organizations:
`)
	for i, s := range d.Sites {
		fmt.Fprintf(&b, "  # %s\n  %s:\n", s.Name, s.ID)
		b.WriteString("    # Outside working hours is from … to, in the hospital's own time.\n")
		fmt.Fprintf(&b, "    hours: {zone: %s, from: %q, to: %q}\n    rules:\n", s.Zone, s.OffFrom, s.OffTo)
		switch i {
		case ellerbek:
			b.WriteString(`      # Nobody needs forty records in ten minutes: a visit takes five or six.
      data-velocity: {threshold: 40, window: 10m, severity: HIGH, title: Record snooping}
`)
		case lakemont:
			b.WriteString(`      # Its password has expired, which is known (ticket 4711). Take this line out when it is renewed.
      failed-auth-burst: {except: [svc-fax-relay]}
      # Claims leave the house through the clearing house's interface, and never through somebody's browser.
      bulk-operation: {severity: CRITICAL, title: Mass export}
`)
		}
		b.WriteString("      # The night roster, and services: a list here takes the place of the one above.\n")
		b.WriteString("      off-hours-access:\n        except:\n          - svc-*\n")
		for _, id := range s.roster() {
			fmt.Fprintf(&b, "          - %s\n", id)
		}
	}
	return b.String()
}
