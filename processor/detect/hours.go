package detect

import (
	"archive/zip"
	"bytes"
	_ "embed" // the zone data
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ZoneData is the version of the IANA time zone data that are compiled in. It is part of the version of every rule that
// looks at local time: other data may judge differently.
const ZoneData = "2025c"

//go:embed zoneinfo.zip
var zoneinfo []byte

// LoadZone reads a zone from the compiled-in data, never from the system's. "" is UTC.
func LoadZone(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	z, err := zip.NewReader(bytes.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		return nil, fmt.Errorf("read zone data: %w", err)
	}
	f, err := z.Open(name)
	if err != nil {
		return nil, fmt.Errorf("zone %q is not in the IANA data %s: give a name such as Europe/Berlin", name, ZoneData)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read zone %q: %w", name, err)
	}
	return time.LoadLocationFromTZData(name, data)
}

// hours is the compiled form of Hours.
type hours struct {
	zone     *time.Location
	from, to int // minutes of the local day
	days     [7]bool
	allDays  bool
	holidays map[int]bool // year*10000 + month*100 + day
	text     string       // canonical form
}

func compileHours(h Hours) (*hours, error) {
	zone, err := LoadZone(h.Zone)
	if err != nil {
		return nil, err
	}
	c := &hours{zone: zone, allDays: len(h.Days) == 0, holidays: make(map[int]bool, len(h.Holidays))}
	if c.from, err = parseTimeOfDay(h.From); err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	if c.to, err = parseTimeOfDay(h.To); err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	names := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	for _, d := range h.Days {
		i := slices.Index(names, strings.ToLower(d))
		if i < 0 {
			return nil, fmt.Errorf("day %q: want mon, tue, wed, thu, fri, sat or sun", d)
		}
		c.days[i] = true
	}
	holidays := slices.Sorted(slices.Values(h.Holidays))
	for _, d := range holidays {
		t, err := time.Parse(time.DateOnly, d)
		if err != nil {
			return nil, fmt.Errorf("holiday %q: want a date such as 2026-12-25", d)
		}
		c.holidays[dateNumber(t)] = true
	}
	var days strings.Builder
	for i, on := range c.days {
		if on {
			days.WriteString(names[i] + ",")
		}
	}
	c.text = fmt.Sprintf("zone=%s\nzone_data=%s\nfrom=%d\nto=%d\ndays=%s\nholidays=%s\n", zone, ZoneData, c.from, c.to,
		days.String(), strings.Join(slices.Compact(holidays), ","))
	return c, nil
}

func parseTimeOfDay(s string) (minutes int, err error) {
	h, m, ok := strings.Cut(s, ":")
	hour, err1 := strconv.Atoi(h)
	minute, err2 := strconv.Atoi(m)
	if !ok || err1 != nil || err2 != nil || len(m) != 2 || hour < 0 || hour > 24 || minute < 0 || minute > 59 ||
		(hour == 24 && minute > 0) {
		return 0, fmt.Errorf("time of day %q: want 00:00 to 24:00", s)
	}
	return hour*60 + minute, nil
}

func dateNumber(t time.Time) int {
	y, m, d := t.Date()
	return y*10000 + int(m)*100 + d
}

// off tells whether the time (Unix ns) lies outside working hours: in [from, to) local time, or on a day that is no
// working day.
func (h *hours) off(t int64) bool {
	local := time.Unix(0, t).In(h.zone)
	if !h.allDays && !h.days[local.Weekday()] {
		return true
	}
	if len(h.holidays) > 0 && h.holidays[dateNumber(local)] {
		return true
	}
	m := local.Hour()*60 + local.Minute()
	if h.from <= h.to {
		return h.from <= m && m < h.to
	}
	return m >= h.from || m < h.to
}
