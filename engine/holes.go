package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// Between what was recorded there are times in which nothing was: a recorder that
// did not run, captures that do not follow one another. Where a sensor records live,
// or the collector listens, its rows say exactly when; a capture file only says when
// packets came, and a network may be silent.

// covering is a time that was recorded, and for how long nothing came in it.
type covering struct {
	period
	silence tables.Time
}

// recordings merges what was recorded, and finds the times between that are longer
// than nothing came within what lies beside them: those were not recorded, since a
// network that is silent for so long would have been so there, too. Twice as long,
// to be sure.
func recordings(list []covering) (recorded, holes []period) {
	for _, c := range list {
		recorded = append(recorded, c.period)
	}
	recorded = merge(recorded, edge)
	silence := make([]tables.Time, len(recorded))
	for _, c := range list {
		i, _ := slices.BinarySearchFunc(recorded, c.from, func(p period, t tables.Time) int {
			if p.to < t {
				return -1
			}
			return 1
		})
		silence[i] = max(silence[i], c.silence)
	}
	for i := 1; i < len(recorded); i++ {
		from, to := recorded[i-1].to, recorded[i].from
		if (to-from)/2 > max(silence[i-1], silence[i]) {
			holes = append(holes, period{from, to})
		}
	}
	return recorded, holes
}

// pauses are the times between the first and the last of a list in which neither it
// nor what else covers the time has anything.
func pauses(list, also []period) (out []period) {
	own := merge(slices.Clone(list), 0)
	if len(own) < 2 {
		return nil
	}
	all := merge(slices.Concat(own, also), 0)
	for i := 1; i < len(all); i++ {
		if p := (period{all[i-1].to + 1, all[i].from - 1}); p.from > own[0].from && p.to < own[len(own)-1].to && p.from <= p.to {
			out = append(out, p)
		}
	}
	return out
}

const (
	// endsBefore is how much earlier than another a sensor ends that did so alone.
	endsBefore = 2 * 60 * tables.Time(1e6)
	// endTold is for how long after its end a sensor is missed: one that was taken
	// away for good is not for ever.
	endTold = 7 * 24 * 3600 * tables.Time(1e6)
)

// ended finds the sensors that recorded live and do no longer, while others went on.
func (s *snapshot) ended(live map[[2]string][]period, imported map[string][]period) {
	last, newest := map[string]tables.Time{}, tables.Time(0)
	for of, list := range live {
		for _, p := range slices.Concat(list, imported[of[0]]) {
			last[of[0]] = max(last[of[0]], p.to)
		}
		for _, p := range list {
			newest = max(newest, p.to)
		}
	}
	for sensor, end := range last {
		if newest-end > endsBefore {
			s.lose(sensor, "", period{end + 1, min(newest, end+endTold)}, recordsNoLonger, "", 1)
		}
	}
}

// between says that nothing was recorded in a part of the time a plan names both ends
// of. One that names none asks for what there is.
func (s *snapshot) between(p *pushdown.Plan) []string {
	b := p.Bounds
	if len(s.holes) == 0 || b.From == pushdown.MinTime || b.To == pushdown.MaxTime || !slices.ContainsFunc(p.Scans, ofRecording) {
		return nil
	}
	var exports []archive.File
	if slices.ContainsFunc(p.Scans, reported) {
		exports = s.catalog.Files(archive.Exports)
	}
	var in []period
	for _, h := range s.holes {
		// Within one hole nothing at all was recorded, which is said as such.
		if h.from >= b.To || h.to <= b.From || h.from <= b.From && h.to >= b.To || min(h.to, b.To)-max(h.from, b.From) <= edge {
			continue
		}
		if !slices.ContainsFunc(exports, func(f archive.File) bool { return f.MinTS < h.to && f.MaxTS > h.from }) {
			in = append(in, h)
		}
	}
	return pausesText("nothing was recorded", in, "ops.coverage")
}

// pausesText sums up pauses in a line.
func pausesText(what string, list []period, account string) []string {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return []string{fmt.Sprintf("%s between %s and %s", what, timeText(list[0].from), timeText(list[0].to))}
	}
	var sum tables.Time
	for _, p := range list {
		sum += p.to - p.from
	}
	return []string{fmt.Sprintf("%s %d times between %s and %s, %s together: see %s", what, len(list), timeText(list[0].from), timeText(list[len(list)-1].to),
		(time.Duration(sum) * time.Microsecond).Round(time.Second), account)}
}

// unrecorded lists all times between what was recorded that a plan asks about, also
// those in which there may have been nothing to record.
func (s *snapshot) unrecorded(p *pushdown.Plan) []string {
	recorded := s.recorded
	if len(recorded) < 2 || !slices.ContainsFunc(p.Scans, ofRecording) {
		return nil
	}
	if slices.ContainsFunc(p.Scans, reported) {
		recorded = s.withReported(recorded)
	}
	var out []string
	more := 0
	for i := 1; i < len(recorded); i++ {
		from, to := recorded[i-1].to, recorded[i].from
		if from >= p.Bounds.To || to <= p.Bounds.From {
			continue
		}
		if len(out) == maxNamed {
			more++
			continue
		}
		out = append(out, fmt.Sprintf("nothing was recorded from %s to %s", timeText(from), timeText(to)))
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("nor in %d times more: see ops.coverage", more))
	}
	return out
}
