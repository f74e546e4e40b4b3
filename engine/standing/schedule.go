package standing

import (
	"fmt"
	"time"

	"github.com/wiresql/wiresql/engine/hunt"
	"github.com/wiresql/wiresql/tables"
)

const (
	leastEvery = time.Minute
	mostEvery  = 31 * 24 * time.Hour
	mostSince  = 366 * 24 * time.Hour
	// DefaultEvery, DefaultSince and DefaultLate hold where nothing is said; a hunt
	// that is run more seldom than DefaultSince looks back as far as to the last.
	DefaultEvery = "1 HOUR"
	DefaultSince = "1 DAY"
	DefaultLate  = "1 HOUR"
	// settling is how long observers wait for each other: what is younger may
	// become another connection.
	settling = 2 * time.Minute
	// firstRetry is after how long a run that failed is repeated; each failure
	// more doubles it, up to the time between runs.
	firstRetry = time.Minute
	// clockSlack is how far the clock may be corrected without being set.
	clockSlack = time.Minute
	// madeUp is how much of what was missed is looked through, at least.
	madeUp = 31 * 24 * time.Hour
)

// Check looks at the times of a schedule, and fills in those it lacks.
func (s *Schedule) Check() error {
	if s.Every == "" {
		s.Every = DefaultEvery
	}
	every, err := between("every", s.Every, leastEvery, mostEvery)
	if err != nil {
		return err
	}
	if s.Since == "" {
		if s.Since = DefaultSince; every > 24*time.Hour {
			s.Since = s.Every
		}
	}
	since, err := between("since", s.Since, leastEvery, mostSince)
	if err != nil {
		return err
	}
	if since < every {
		return fmt.Errorf("since is as long as every at least: nobody would look at what lies between")
	}
	if s.Late == "" {
		s.Late = DefaultLate
	}
	_, err = between("late", s.Late, 0, mostEvery)
	return err
}

func between(name, text string, least, most time.Duration) (time.Duration, error) {
	d, err := hunt.Length(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	if d < least || d > most {
		return 0, fmt.Errorf("%s is from %v to %v: not %s", name, least, most, text)
	}
	return d, nil
}

// length is one of the times of a schedule that was checked.
func length(text string) tables.Time {
	d, _ := hunt.Length(text)
	return span(d)
}

func span(d time.Duration) tables.Time { return tables.Time(d.Microseconds()) }

// Due is when a schedule runs next: now if the clock was set back behind its last
// run. What was missed is one run.
func (s *Schedule) Due(now tables.Time) tables.Time {
	if s.Begun == 0 {
		return s.Made
	}
	if s.Begun > now+span(clockSlack) {
		return now
	}
	wait := length(s.Every)
	if s.Failures > 0 {
		wait = min(wait, span(firstRetry)<<min(s.Failures-1, 20))
	}
	return s.Begun + wait
}

// window is the time that a run looks through: since before its end, and from where
// the last one ended if that is earlier, and late before that. It ends where
// everything is settled that was recorded. why says what is strange about it; if
// there is nothing to look through, from and to are 0.
func (s *Schedule) window(now, recorded tables.Time) (from, to tables.Time, why string) {
	if recorded == 0 {
		return 0, 0, "nothing is recorded yet"
	}
	to = min(now-span(settling), recorded)
	since := length(s.Since)
	from = to - since
	until := s.Until
	switch {
	case until == 0:
		return from, to, ""
	case until > now: // by a clock that was ahead
		return from, to, fmt.Sprintf("the last run looked up to %s, which is yet to come: the clock was set back", at(until))
	case until >= to:
		return 0, 0, fmt.Sprintf("nothing was recorded since %s, up to where the last run looked", at(until))
	}
	if from = min(from, until-length(s.Late)); from < to-max(since, span(madeUp)) {
		from = to - max(since, span(madeUp))
		if until < from {
			why = fmt.Sprintf("nobody looked through the time from %s to %s: the last run is too long ago", at(until), at(from))
		}
	}
	return from, to, why
}

func at(t tables.Time) string { return time.UnixMicro(int64(t)).UTC().Format(time.DateTime) }
