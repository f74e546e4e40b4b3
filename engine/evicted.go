package engine

import (
	"fmt"
	"slices"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// What was evicted is told as what is damaged is: all of it in ops.evictions, and
// what an answer may lack beside it.

// timed are the scans of a plan with the times that matter of them: flow rows
// that only lead to the packets of other rows are of the time that is asked of
// those: what is asked about.
func timed(p *pushdown.Plan, asked pushdown.Bounds) (out []*pushdown.ScanPlan) {
	add := func(s *pushdown.ScanPlan, follows bool) {
		if follows && s.Bounds.Timeless() {
			within := *s
			within.Bounds.From, within.Bounds.To = asked.From, asked.To
			s = &within
		}
		out = append(out, s)
	}
	follow := map[int]bool{}
	for _, k := range p.Packets {
		follow[k.ID] = k.Source != nil
		for _, s := range slices.Concat(k.Keys.Scans, k.ByKey.Scans) {
			add(s, k.Source != nil && (s.Relation == pushdown.FlowIndex || s.Relation == pushdown.OtherIndex))
		}
		if k.Source != nil {
			out = append(out, k.Source.Scans...)
		}
	}
	for _, s := range p.Scans {
		add(s, pushdown.IsPackets(s.Relation) && follow[s.ID])
	}
	return out
}

// evicted says what of the rows that scans read was evicted, by family.
func (s *snapshot) evicted(scans []*pushdown.ScanPlan, named bool) (out []string) {
	for _, family := range tables.Families {
		list := s.catalog.Evicted(archive.Family(family.Name))
		lacks := slices.DeleteFunc(slices.Clone(list), func(e archive.Evicted) bool {
			d := archive.Damage{Family: archive.Family(family.Name), From: e.TS, To: e.TSEnd, Level: e.Level}
			return !slices.ContainsFunc(scans, func(p *pushdown.ScanPlan) bool { return lacksOf(p, &d, named) })
		})
		if len(lacks) > 0 {
			out = append(out, evictedText(family.Name, lacks))
		}
	}
	return out
}

// evictedText says what of a family is gone, and why the last of it went.
func evictedText(family string, list []archive.Evicted) string {
	rows, from, to, last := int64(0), list[0].TS, list[0].TSEnd, &list[0]
	for i := range list {
		e := &list[i]
		rows += e.Rows
		from, to = min(from, e.TS), max(to, e.TSEnd)
		if e.EvictedAt > last.EvictedAt {
			last = e
		}
	}
	were := "were evicted, the last of them"
	if rows == 1 {
		were = "was evicted"
	}
	return fmt.Sprintf("%s of %s of %s to %s %s at %s %s: see ops.evictions",
		quantity(rows, "row"), family, timeText(from), timeText(to), were, timeText(last.EvictedAt), becauseOf(last.Reason))
}

// becauseOf is the reason of an eviction in words.
func becauseOf(reason string) string {
	switch reason {
	case tables.EvictedAge:
		return "because of their age"
	case tables.EvictedBytes:
		return "to keep to their budget of bytes"
	case tables.EvictedRows:
		return "as the flow rows that led to them were"
	}
	return "to make room on the disk"
}
