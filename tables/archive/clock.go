package archive

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// A machine's clock is set now and then: by years, when its battery was empty or a
// server of time is wrong. What arrived says when by that clock. How old it is must
// not follow from it alone: a clock that is set ahead would age the whole archive at
// once, one that was behind make the newest the oldest. So retention keeps, in
// state/clock, when the clock was set: each time it looks it compares what passed by
// the clock with what passed since the machine was started, which nobody sets. Between
// two settings lies an era. A time of the clock, moved by what its era is off, is
// steady: it counts on from era to era.
//
// While the machine was off, or another one has the archive now, nothing tells what
// passed but the clock: a day at most is believed. Age that is not known is none.

// reading is what the clocks of a machine show.
type reading struct {
	wall tables.Time
	boot string        // names the start of the machine
	up   time.Duration // since that start
}

// era is a time in which the clock was not set.
type era struct {
	From tables.Time `json:"from"`
	To   tables.Time `json:"to"`  // when it was looked at last
	Off  tables.Time `json:"off"` // to be added to times of the clock
}

// steadyClock is what state/clock holds.
type steadyClock struct {
	Eras []era         `json:"eras"`
	Boot string        `json:"boot"`
	Up   time.Duration `json:"up"`
}

const (
	clockFile = "clock"
	maxClock  = 64 << 10
	// clockSlack is by how much a clock may be corrected without being set, in one
	// look; arrivals that far from an era are of it.
	clockSlack = tables.Time(60e6)
	// offBelieved is what passes at most while the machine is off.
	offBelieved = dayLength
	// pauseBelieved is the longest time without a file that is believed when a clock is
	// begun: else none passed.
	pauseBelieved = 31 * dayLength
	// maxEras are kept; then the shortest go. What arrived in one that is not kept
	// has no age.
	maxEras = 256
	// savesClock is how often it is written while nothing happens.
	savesClock = time.Minute
)

// begin makes a clock for an archive whose files arrived between two times, which
// are not in order if there are none.
func (s *steadyClock) begin(r reading, first, last tables.Time) {
	if first > last {
		first, last = r.wall, r.wall
	}
	*s = steadyClock{Eras: []era{{first, r.wall, 0}}, Boot: r.boot, Up: r.up}
	if since := r.wall - last; since < 0 || since > pauseBelieved {
		s.Eras = []era{{first, last, 0}, {r.wall, r.wall, -since}}
	}
}

// look notes what the clocks show; it returns by how much the clock was set, or 0.
func (s *steadyClock) look(r reading) tables.Time {
	last := &s.Eras[len(s.Eras)-1]
	shown := r.wall - last.To
	passed := min(max(shown, 0), offBelieved)
	if s.Boot != "" && r.boot == s.Boot && r.up >= s.Up {
		passed = tables.Time((r.up - s.Up) / time.Microsecond)
	}
	s.Boot, s.Up = r.boot, r.up
	set := shown - passed
	if set >= -clockSlack && set <= clockSlack {
		last.To = r.wall
		return 0
	}
	s.Eras = append(s.Eras, era{r.wall, r.wall, last.To + last.Off + passed - r.wall})
	if len(s.Eras) > maxEras {
		shortest := 0
		for i, e := range s.Eras[:maxEras] {
			if e.To-e.From < s.Eras[shortest].To-s.Eras[shortest].From {
				shortest = i
			}
		}
		s.Eras = slices.Delete(s.Eras, shortest, shortest+1)
	}
	return set
}

// now is the steady time of the last look.
func (s *steadyClock) now() tables.Time {
	last := &s.Eras[len(s.Eras)-1]
	return last.To + last.Off
}

// at is the steady time of a time of the clock: where it may be of two eras, of the
// later, and where it is of none, now.
func (s *steadyClock) at(wall tables.Time) tables.Time {
	for i := len(s.Eras) - 1; i >= 0; i-- {
		if e := &s.Eras[i]; wall >= e.From-clockSlack && wall <= e.To+clockSlack {
			return min(wall+e.Off, s.now())
		}
	}
	return s.now()
}

// steady brings the archive's steady clock to now.
func (a *Archive) steady(c *Catalog) (*steadyClock, error) {
	r := a.clocks()
	path := filepath.Join(a.dir, stateFolder, clockFile)
	s := &a.clock
	if s.Eras == nil {
		b, err := disk.ReadFile(a.disk, path, maxClock)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err := json.Unmarshal(b, s); err != nil || len(s.Eras) == 0 || len(s.Eras) > maxEras {
			first, last := arrivals(c)
			s.begin(r, first, last)
		}
	}
	set := s.look(r)
	if set != 0 {
		a.log.Warn("the clock was set: what is kept does not age by it", "seconds", int64(set/1e6))
	}
	if at := r.up; set != 0 || a.saved == 0 || at-a.saved >= savesClock {
		b, err := json.Marshal(s)
		if err == nil {
			err = a.mkdir(filepath.Dir(path))
		}
		if err == nil {
			err = disk.Replace(a.disk, path, b, 0o640)
		}
		if err != nil { // it is found out again as long as the machine runs
			a.log.Warn("when the clock was set is not kept", "error", err)
		}
		a.saved = max(at, 1)
	}
	return s, nil
}

// arrivals is when the first and the last of what an archive holds arrived.
func arrivals(c *Catalog) (first, last tables.Time) {
	first, last = math.MaxInt64, math.MinInt64
	add := func(o *rows.Origin) { first, last = min(first, o.First), max(last, o.Last) }
	for _, family := range allFamilies {
		for i := range c.files[family] {
			add(&c.files[family][i].Origin)
		}
	}
	for i := range c.segments {
		add(&c.segments[i].rows.Origin)
	}
	return first, last
}
