// Package report is what a measurement leaves behind: a result of samples, written as JSON, shown as text and as an
// HTML page that needs nothing but itself, and compared with another result.
//
// A scenario fills in a [Result]: what was measured (metrics with units, which way is better, which one is the
// headline), where (machine, commit, settings) and one [Sample] per run. The caller says the date and the commit;
// nothing here reads a clock or asks git. [Save] writes both files, [Load] reads the JSON again and refuses what it
// does not know.
//
// What is shown of several runs is the median with the lowest and the highest, never a mean: one disturbed run would
// move that. Kinds of run are put in relation within a round only, for a shared machine is another one a minute later.
//
// [Compare] says what changed between two results beyond noise. Where both have runs of the bare loop, figures that
// depend on how fast the machine is are first divided by the bare loop's of the same round; then an exact rank test on
// the runs of each side decides. It says so where there are too few runs to decide anything.
package report
