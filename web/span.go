package web

import (
	"strings"
	"time"

	"github.com/wiresql/wiresql/engine/hunt"
)

// span is the time a view is about, as constants of SQL without their quotes,
// in UTC. Both ends are included; an empty one is not bounded.
type span struct{ From, To string }

const timeLayout = "2006-01-02 15:04:05.999999"

// given reads a time as people and browsers write it; empty for what is none.
func given(text string) string {
	text = strings.TrimSpace(text)
	for _, layout := range []string{timeLayout, "2006-01-02T15:04:05.999999", "2006-01-02T15:04:05.999999Z07:00", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1 {
			return t.UTC().Format(timeLayout)
		}
	}
	return ""
}

// span of a request; what it does not say is that of what was recorded, but not
// more than week before its end.
func (v *view) span() span {
	s := span{given(v.r.FormValue("from")), given(v.r.FormValue("to"))}
	if s.From != "" && s.To != "" {
		return s
	}
	all := v.who.ask(v.context(), "SELECT first, last, GREATEST(first, last - INTERVAL 7 DAY)\n"+
		"FROM (SELECT LEAST(COALESCE(c.ts, o.ts), COALESCE(o.ts, c.ts)) AS first, GREATEST(COALESCE(c.last, o.ts_end), COALESCE(o.ts_end, c.last)) AS last\n"+
		"FROM (SELECT MIN(ts) AS ts, MAX(ts) AS last FROM connections WHERE ts <= NOW(6)) c\n"+
		"JOIN (SELECT MIN(ts) AS ts, MAX(ts_end) AS ts_end FROM ops.coverage WHERE ts_end <= NOW(6)) o) s")
	if all.Err != "" || len(all.Rows) == 0 || all.Rows[0][0].Null {
		return s
	}
	if s.To == "" {
		s.To = all.Rows[0][1].Text
	}
	if s.From == "" {
		if s.From = all.Rows[0][2].Text; s.From > s.To {
			s.From = all.Rows[0][0].Text
		}
	}
	return s
}

// known tells whether there is a time at all.
func (s span) known() bool { return s.From != "" && s.To != "" }

// between is the condition that a point of time is in the span.
func (s span) between(column string) string {
	if !s.known() {
		return "1 = 1"
	}
	return column + " BETWEEN " + hunt.Quote(s.From) + " AND " + hunt.Quote(s.To)
}

// overlaps is the condition that something lasted into it.
func (s span) overlaps() string {
	if !s.known() {
		return "1 = 1"
	}
	return "overlaps(ts, ts_end, " + hunt.Quote(s.From) + ", " + hunt.Quote(s.To) + ")"
}

// times are its ends; ok is false without both.
func (s span) times() (from, to time.Time, ok bool) {
	from, err1 := time.Parse(timeLayout, s.From)
	to, err2 := time.Parse(timeLayout, s.To)
	return from, to, err1 == nil && err2 == nil && !to.Before(from)
}

// bin is a round number of seconds that divides the span into about so many.
func (s span) bin(parts int) int {
	from, to, ok := s.times()
	if !ok {
		return 60
	}
	steps := []int{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 604800}
	for _, step := range steps {
		if to.Sub(from).Seconds()/float64(step) <= float64(parts) {
			return step
		}
	}
	const month = 30 * 86400
	return month * (1 + int(to.Sub(from).Seconds())/(month*parts))
}
