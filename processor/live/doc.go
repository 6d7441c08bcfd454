// Package live keeps numbers in Redis that a dashboard reads: how many alerts there were in the last minutes and hours,
// by rule, severity and organisation, and how each process fares.
//
// # What it guarantees
//
// Nothing depends on it: no event waits for Redis, and no alert. While Redis is away the numbers stand still;
// [Counters.Health] says so, and what was missed is counted afterwards, from the alerts topic.
//
// An alert is counted once, whatever crashes, redelivers or takes over: the position in the topic lies in Redis and is
// moved by the script that counts, so both happen or neither does. The script moves it only from where the caller
// expects it to be, which makes a second reader, or a request that is sent again because its answer was lost, harmless.
// An alert that is written to the topic a second time is recognised by its id for as long as it would be counted. The
// bucket is that of the record time of the first revision; further revisions are not counted.
//
// Where Redis has lost everything there is no position. Reading then begins again as far back as buckets are kept, and
// gives the same numbers, except those of alerts whose first revision the topic has forgotten: it is compacted, a day
// after it was written at the earliest.
//
// What a process tells of itself is absolute, and added to totals as a difference by a script; telling it twice changes
// nothing. Such totals count what this process counted: what was committed right before a crash may be missing.
//
// # Keys
//
// All begin with the prefix. Each has a time to live, so that nothing is left of an installation that is gone. None of
// them ever needs KEYS or SCAN to be found.
//
//	alerts:minute:<start>, alerts:hour:<start>   hash: RULE:SEVERITY:ORGANISATION → alerts; start in Unix seconds
//	alerts:position:<topic id>                   hash: partition → next offset
//	alerts:seen                                  sorted set: alert id by its time in milliseconds
//	process:<instance>                           hash: what a process tells of itself, see [Process]
//	processes                                    sorted set: instance by the time it was last heard of, milliseconds
//	lags                                         hash: instance → records not yet judged
//	metrics:<name>                               eventsProcessed, errorsGenerated, errorRate, integrityViolations,
//	                                             processingLatency, queueDepth, alertsGenerated, suspiciousPatterns,
//	                                             timestamp: over all processes
//
// With an empty prefix the last ones have the names that the smart-logs worker gave them, for dashboards made for it.
//
// The caller gives a client of Redis with a bound on the time of each request, and closes it after [Counters.Run].
package live
