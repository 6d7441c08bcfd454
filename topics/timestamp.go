package topics

import "errors"

// Faults of a timestamp. Each says what is wrong and, where it helps, what to write.
var (
	errTimeForm     = errors.New("not RFC 3339: write it like 2006-01-02T15:04:05.999Z or with an offset like +02:00")
	errTimeZone     = errors.New("the time zone is missing: end it with Z or an offset like +02:00")
	errTimeOffset   = errors.New("the offset is wrong: write Z, +hh:mm, +hhmm or +hh with hh up to 23 and mm up to 59")
	errTimeFraction = errors.New("the fraction has no digits")
	errTimeMonth    = errors.New("there is no such month")
	errTimeDay      = errors.New("there is no such day in this month")
	errTimeHour     = errors.New("there is no such hour: hours are 00 to 23")
	errTimeMinute   = errors.New("there is no such minute")
	errTimeSecond   = errors.New("there is no such second")
	errTimeLeap     = errors.New("leap seconds (:60) are not accepted: send the second before or after")
	errTimeRange    = errors.New("it lies outside the years 1700 to 2261 (UTC)")
)

const (
	nanosPerSecond = 1_000_000_000
	secondsPerDay  = 86_400

	minUnix = -8_520_336_000 // 1700-01-01T00:00:00Z
	maxUnix = 9_214_646_400  // 2262-01-01T00:00:00Z, the first instant not accepted
)

// ParseTimestamp reads a date-time of RFC 3339, widened by what ISO 8601 writers send: a T, a t or one space between
// date and time; seconds; any number of fraction digits, those beyond nanoseconds cut off; Z, z, or an offset ±hh:mm,
// ±hhmm or ±hh. It returns Unix nanoseconds. Only the years 1700 to 2261 in UTC are accepted.
func ParseTimestamp(s []byte) (int64, error) {
	const plain = len("2006-01-02T15:04:05")
	if len(s) < plain || s[4] != '-' || s[7] != '-' || s[13] != ':' || s[16] != ':' ||
		s[10] != 'T' && s[10] != 't' && s[10] != ' ' {
		return 0, errTimeForm
	}
	century, month, day := digits2(s[0:]), digits2(s[5:]), digits2(s[8:])
	yy, hour, minute, second := digits2(s[2:]), digits2(s[11:]), digits2(s[14:]), digits2(s[17:])
	if century|yy|month|day|hour|minute|second < 0 {
		return 0, errTimeForm
	}
	year := century*100 + yy
	switch {
	case month < 1 || month > 12:
		return 0, errTimeMonth
	case day < 1 || day > daysIn(year, month):
		return 0, errTimeDay
	case hour > 23:
		return 0, errTimeHour
	case minute > 59:
		return 0, errTimeMinute
	case second == 60:
		return 0, errTimeLeap
	case second > 60:
		return 0, errTimeSecond
	}
	nanos, rest, err := fraction(s[plain:])
	if err != nil {
		return 0, err
	}
	offset, err := zone(rest)
	if err != nil {
		return 0, err
	}
	unix := days(year, month, day)*secondsPerDay + int64(hour*3600+minute*60+second) - int64(offset)
	if unix < minUnix || unix >= maxUnix {
		return 0, errTimeRange
	}
	return unix*nanosPerSecond + nanos, nil
}

// digits2 reads two decimal digits; negative when they are none.
func digits2(s []byte) int {
	_ = s[1]
	hi, lo := s[0]-'0', s[1]-'0'
	if hi > 9 || lo > 9 {
		return -1
	}
	return int(hi)*10 + int(lo)
}

// fraction reads an optional fraction of a second, in nanoseconds, and returns what follows it.
func fraction(s []byte) (nanos int64, rest []byte, err error) {
	if len(s) == 0 || s[0] != '.' {
		return 0, s, nil
	}
	i, scale := 1, int64(nanosPerSecond)
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		if scale > 1 {
			scale /= 10
			nanos += scale * int64(s[i]-'0')
		}
	}
	if i == 1 {
		return 0, nil, errTimeFraction
	}
	return nanos, s[i:], nil
}

// zone reads the zone at the end of a timestamp, in seconds east of UTC.
func zone(s []byte) (int, error) {
	if len(s) == 1 && s[0]|0x20 == 'z' {
		return 0, nil
	}
	if len(s) == 0 {
		return 0, errTimeZone
	}
	if s[0] != '+' && s[0] != '-' {
		return 0, errTimeForm
	}
	var hours, minutes int
	switch {
	case len(s) == 3:
		hours = digits2(s[1:])
	case len(s) == 5:
		hours, minutes = digits2(s[1:]), digits2(s[3:])
	case len(s) == 6 && s[3] == ':':
		hours, minutes = digits2(s[1:]), digits2(s[4:])
	default:
		return 0, errTimeOffset
	}
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 {
		return 0, errTimeOffset
	}
	offset := hours*3600 + minutes*60
	if s[0] == '-' {
		offset = -offset
	}
	return offset, nil
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// days is the number of days from 1970-01-01 to a date of the Gregorian calendar (year ≥ 0). Months are counted from
// March, so that the leap day ends the year.
func days(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	y, m := int64(year), int64(month)
	return 365*y + floorDiv(y, 4) - floorDiv(y, 100) + floorDiv(y, 400) + (153*(m-3)+2)/5 + int64(day) - 719_469
}

func floorDiv(a, b int64) int64 {
	if a < 0 { // only year −1, of January and February of the year 0
		return -1
	}
	return a / b
}
