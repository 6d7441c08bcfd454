package report

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// A difference as large is chance alone with probability p. From noise on it is taken for that; below sure it is not;
// between them it may be either, for a comparison judges a dozen figures at once.
const (
	noise = 0.05
	sure  = 0.01
)

// Verdict is what can be said of a change.
type Verdict string

// The verdicts.
const (
	BetterNow     Verdict = "better"
	WorseNow      Verdict = "worse"
	PerhapsBetter Verdict = "perhaps better"
	PerhapsWorse  Verdict = "perhaps worse"
	NoChange      Verdict = "no change beyond noise"
	TooFew        Verdict = "too few runs to tell"
	OnlyInA       Verdict = "only in A"
	OnlyInB       Verdict = "only in B"
)

// Comparison is what two results say about each other.
type Comparison struct {
	A, B        *Result
	Differences []string // other than commit and date: what else the change may be due to
	Changes     []Change // by metric, then kind
}

// Change is that of one metric of one kind.
type Change struct {
	Metric Metric
	Of     string // kind and, in a sweep, value of the parameter
	// Scaled says that A and B are of ratios to the bare loop within rounds; else they are as measured.
	Scaled               bool
	A, B                 Spread
	MeasuredA, MeasuredB Spread
	Ratio                float64 // median of B to median of A; 0: unknown
	P                    float64 // of the rank test; 1 where it was not made
	Verdict              Verdict
	MayBeMachine         bool    // the metric drifts with the machine, and nothing was there to scale it by
	leastP               float64 // that the test could give for so many runs; 0 where it was not made
}

// Compare says what changed from a to b, of the metrics that have a better way. Results of different scenarios, and
// those whose metrics of one name mean different things, cannot be compared.
func Compare(a, b *Result) (*Comparison, error) {
	if a.Scenario != b.Scenario {
		return nil, fmt.Errorf("compare: A is of scenario %s and B of %s", a.Scenario, b.Scenario)
	}
	c := &Comparison{A: a, B: b, Differences: differences(a, b)}
	inA, inB := a.quantities(), b.quantities()
	for _, q := range union(inA, inB, func(q quantity) string { return q.Name }) {
		if q.Better == Neither {
			continue
		}
		if err := sameMeaning(q, inA, inB); err != nil {
			return nil, err
		}
		for _, g := range union(a.groups(), b.groups(), func(g group) group { return g }) {
			if change, ok := changeOf(a, b, q, g); ok {
				c.Changes = append(c.Changes, change)
			}
		}
	}
	if len(c.Changes) == 0 {
		return nil, errors.New("compare: neither result has runs of anything that can be judged")
	}
	return c, nil
}

// changeOf is the change of a group; false where neither result has measured it.
func changeOf(a, b *Result, q quantity, g group) (Change, bool) {
	valuesA, valuesB := q.of(a, g), q.of(b, g)
	if len(valuesA)+len(valuesB) == 0 {
		return Change{}, false
	}
	c := Change{Metric: q.Metric, Of: g.label(), MeasuredA: SpreadOf(valuesA), MeasuredB: SpreadOf(valuesB), P: 1}
	if q.Drifts {
		bare := group{Bare, g.at, g.in}
		ratiosA, ratiosB := q.ratios(a, g, bare), q.ratios(b, g, bare)
		if g != bare && len(ratiosA) > 0 && len(ratiosB) > 0 {
			c.Scaled, valuesA, valuesB = true, ratiosA, ratiosB
		} else {
			c.MayBeMachine = true
		}
	}
	c.A, c.B = SpreadOf(valuesA), SpreadOf(valuesB)
	if c.A.Median != 0 {
		c.Ratio = c.B.Median / c.A.Median
	}
	switch {
	case c.B.N == 0:
		c.Verdict = OnlyInA
		return c, true
	case c.A.N == 0:
		c.Verdict = OnlyInB
		return c, true
	}
	c.P, c.leastP = rankTest(valuesA, valuesB), smallestP(len(valuesA), len(valuesB))
	better := rankedLower(valuesB, valuesA) == (q.Better == Lower)
	switch {
	case c.leastP >= noise:
		c.Verdict = TooFew
	case c.P >= noise:
		c.Verdict = NoChange
	case better && c.P < sure:
		c.Verdict = BetterNow
	case better:
		c.Verdict = PerhapsBetter
	case c.P < sure:
		c.Verdict = WorseNow
	default:
		c.Verdict = PerhapsWorse
	}
	return c, true
}

// rankedLower says whether a's values stand lower than b's among all of both.
func rankedLower(a, b []float64) bool {
	_, sum := doubledRanks(a, b)
	return sum < len(a)*(len(a)+len(b)+1)
}

// sameMeaning says where a metric of both is not the same.
func sameMeaning(q quantity, lists ...[]quantity) error {
	for _, list := range lists {
		for _, other := range list {
			if other.Name == q.Name && (other.Unit != q.Unit || other.Better != q.Better || other.Drifts != q.Drifts) {
				return fmt.Errorf("compare: metric %s is not the same in A and B: %+v and %+v", q.Name, q.Metric, other.Metric)
			}
		}
	}
	return nil
}

// union is the list of a and then those of b that have a new key.
func union[T any, K comparable](a, b []T, key func(T) K) (all []T) {
	there := map[K]bool{}
	for _, v := range slices.Concat(a, b) {
		if !there[key(v)] {
			there[key(v)] = true
			all = append(all, v)
		}
	}
	return all
}

// differences are those of machine and settings.
func differences(a, b *Result) (list []string) {
	say := func(what, a, b string) {
		if a != b {
			list = append(list, fmt.Sprintf("%s: %s → %s", what, orNone(a), orNone(b)))
		}
	}
	say("machine", a.Machine.String(), b.Machine.String())
	for _, k := range slices.Sorted(maps.Keys(a.Settings)) {
		say("setting "+k, a.Settings[k], b.Settings[k])
	}
	for _, k := range slices.Sorted(maps.Keys(b.Settings)) {
		if _, ok := a.Settings[k]; !ok {
			say("setting "+k, "", b.Settings[k])
		}
	}
	return list
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
