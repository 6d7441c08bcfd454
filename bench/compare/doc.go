// Package compare says where the alerts of a run differ from what an oracle expects of its input.
//
// Below the cap on retained matches everything is compared: ids, crossings, revisions, states, spans, counts, outcomes
// and the evidence of the crossing. Of keys above it only ids and crossings are, and that the alerts say approximate.
package compare
