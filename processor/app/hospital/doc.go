// Package hospital makes one day of the audit trail of a hospital network, with planted attacks: three hospitals in
// three time zones, a few hundred people in shifts, the services that work for them, and all that goes wrong without
// anybody meaning harm (forgotten passwords, second deliveries, disorder, garbage).
//
// A day follows from its seed alone: the same bytes every time. Nobody in it is real: names are drawn from lists of
// common first and family names, addresses are private or reserved for documentation.
//
// Beside the records, [Day] says what must be found in them ([Day.Planted]) and what must become of each
// ([Day.DeadLetters], [Day.Duplicates]), when they are judged with the settings that [Day.Settings] writes: an answer
// key that comes from what was planted, not from looking for it.
package hospital
