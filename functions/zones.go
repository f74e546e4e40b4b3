package functions

import (
	_ "embed"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones are the same on every machine

	"vitess.io/vitess/go/sqltypes"

	"github.com/wiresql/wiresql/tables"
)

// Zone is a time zone: what its clocks show at a point of time, and when they
// show a time of day. All are microseconds since 1970, of UTC and of the
// clocks.
type Zone struct {
	// Name is the zone's as @@time_zone shows it.
	Name     string
	location *time.Location
	// starts[i] is since when the clocks are offsets[i] ahead of UTC. The last
	// are those of tables.OpenEnd, which no clock changes.
	starts, offsets []int64
}

// zoneNames are the zones of the tz database that Go carries, one per line: a
// name is found in any case.
//
//go:embed zones.txt
var zoneNames string

var zonesByName = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	for _, name := range strings.Fields(zoneNames) {
		out[strings.ToLower(name)] = name
	}
	return out
})

// knownZones keeps what FindZone found: there are some hundred names and 1,680
// offsets.
var knownZones sync.Map

// FindZone gives the zone of a name in any case, of an offset from -13:59 to
// +14:00, or of SYSTEM, which is UTC; nil when there is none.
func FindZone(name string) *Zone {
	lower := strings.ToLower(name)
	if z, ok := knownZones.Load(lower); ok {
		return z.(*Zone)
	}
	var z *Zone
	if seconds, ok := zoneOffset(name); ok {
		sign := '+'
		if seconds < 0 {
			sign = '-'
		}
		minutes := max(seconds, -seconds) / 60
		text := string(sign) + twoDigits(minutes/60) + ":" + twoDigits(minutes%60)
		z = newZone(text, time.FixedZone(text, seconds))
	} else if lower == "system" {
		z = newZone("SYSTEM", time.UTC)
	} else if known := zonesByName()[lower]; known != "" {
		location, err := time.LoadLocation(known)
		if err != nil {
			return nil
		}
		z = newZone(known, location)
	} else {
		return nil
	}
	knownZones.Store(lower, z)
	return z
}

func twoDigits(n int) string { return string([]byte{'0' + byte(n/10), '0' + byte(n%10)}) }

// zoneOffset reads [+-]h:mm in seconds, as far as MySQL takes it (manual
// 7.1.15).
func zoneOffset(text string) (seconds int, ok bool) {
	if len(text) < 5 || len(text) > 6 || text[0] != '+' && text[0] != '-' {
		return 0, false
	}
	h, m, found := strings.Cut(text[1:], ":")
	hours, err1 := strconv.ParseUint(h, 10, 8)
	minutes, err2 := strconv.ParseUint(m, 10, 8)
	if !found || len(m) != 2 || err1 != nil || err2 != nil || minutes > 59 {
		return 0, false
	}
	n := int(hours*60 + minutes)
	if text[0] == '-' {
		n = -n
	}
	return n * 60, n >= -(13*60+59) && n <= 14*60
}

// newZone lists when a zone's clocks are changed, of the years 1900 to 2200.
func newZone(name string, location *time.Location) *Zone {
	z := &Zone{Name: name, location: location}
	end := time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	for at := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).In(location); ; {
		_, seconds := at.Zone()
		start, next := at.ZoneBounds()
		if offset := int64(seconds) * secondMicros; len(z.starts) == 0 {
			z.starts, z.offsets = []int64{math.MinInt64}, []int64{offset}
		} else if offset != z.offsets[len(z.offsets)-1] { // not only the name
			z.starts, z.offsets = append(z.starts, start.UnixMicro()), append(z.offsets, offset)
		}
		if next.IsZero() || next.After(end) {
			z.starts, z.offsets = append(z.starts, int64(tables.OpenEnd)), append(z.offsets, 0)
			return z
		}
		// At the end of a leap year Go gives the time itself.
		if !next.After(at) {
			next = at.Add(48 * time.Hour)
		}
		at = next
	}
}

var utcZone = newZone("+00:00", time.UTC)

// zone is the session's.
func (s *Session) zone() *Zone {
	if s.Zone == nil {
		return utcZone
	}
	return s.Zone
}

// LocalText is DuckDB's text of what the clocks show at a TIMESTAMP in UTC.
func (z *Zone) LocalText(utc string) string {
	micros, fixed := z.Fixed()
	switch {
	case fixed && micros == 0:
		return utc
	case fixed && len(utc) < 40: // it stands there three times
		return fmt.Sprintf("(CASE WHEN %[1]s < TIMESTAMP '9999-12-31' THEN %[1]s + to_microseconds(%[2]d) ELSE %[1]s END)", utc, micros)
	}
	return "wiresql_local(" + utc + ", " + Quote(z.Name) + ")"
}

// UTC tells whether the clocks are those of UTC at all times.
func (z *Zone) UTC() bool { return len(z.offsets) == 2 && z.offsets[0] == 0 }

// Fixed is how far the clocks are ahead of UTC, if that is always the same.
func (z *Zone) Fixed() (micros int64, ok bool) {
	return z.offsets[0], len(z.offsets) == 2
}

// WholeHours tells whether the clocks are whole hours from UTC at all times since
// from, before to.
func (z *Zone) WholeHours(from, to int64) bool {
	for i, offset := range z.offsets {
		begins := z.starts[i] < to && z.starts[i] < int64(tables.OpenEnd)
		over := i+1 < len(z.starts) && z.starts[i+1] <= from
		if begins && !over && offset%(3600*secondMicros) != 0 {
			return false
		}
	}
	return true
}

// at is the place of the offset at a time.
func (z *Zone) at(utc int64) int {
	return sort.Search(len(z.starts), func(i int) bool { return z.starts[i] > utc }) - 1
}

// Local is what the clocks show.
func (z *Zone) Local(utc int64) int64 { return utc + z.offsets[z.at(utc)] }

// farthest is more than any clock is from UTC.
const farthest = 26 * 3600 * secondMicros

// Span is the points of time from From on, before To.
type Span struct{ From, To int64 }

// Since lists the points of time at which the clocks show local or later. There
// is more than one span when clocks are set back over local.
func (z *Zone) Since(local int64) []Span {
	var out []Span
	last := z.at(local + farthest)
	for i := z.at(local - farthest); i <= last; i++ {
		s := Span{max(z.starts[i], local-z.offsets[i]), math.MaxInt64}
		if i < last {
			s.To = z.starts[i+1]
		}
		switch {
		case s.From >= s.To:
		case len(out) > 0 && out[len(out)-1].To == s.From:
			out[len(out)-1].To = s.To
		default:
			out = append(out, s)
		}
	}
	return out
}

// Instants lists when the clocks show local: never in the hour that is left out
// when they are set forward, twice in the one that comes again.
func (z *Zone) Instants(local int64) []int64 {
	var out []int64
	for i, last := z.at(local-farthest), z.at(local+farthest); i <= last; i++ {
		utc := local - z.offsets[i]
		if utc >= z.starts[i] && (i+1 == len(z.starts) || utc < z.starts[i+1]) {
			out = append(out, utc)
		}
	}
	return out
}

// Instant is the point of time that MySQL takes local for: the first of two; the
// second when the clocks are set forward, if they leave it out.
func (z *Zone) Instant(local int64) int64 {
	if all := z.Instants(local); len(all) > 0 {
		return all[0]
	}
	return z.Since(local)[0].From + (local%secondMicros+secondMicros)%secondMicros
}

// evalConvertTZ leaves times as they are that are not of the years 1970 to 3001
// in UTC (manual 14.7).
func evalConvertTZ(c *call) (evaluator, error) {
	at := c.moment(0)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		from, to := FindZone(row[1].ToString()), FindZone(row[2].ToString())
		if from == nil || to == nil {
			return sqltypes.NULL, nil
		}
		m, ok := at(row[0])
		if !ok || !m.valid(false) {
			return sqltypes.NULL, nil
		}
		if utc := from.utc(m); utc >= 0 && utc < lastUnix*secondMicros {
			m = to.moment(utc)
		}
		return c.momentValue(m), nil
	}), nil
}
