package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// What an answer can't show because it was not recorded, or is gone, is said
// beside it: as warnings, or as an error with wiresql_gaps = 'error'.

// period is a closed interval of captured time.
type period struct{ from, to tables.Time }

// edge is how far a question may reach beyond the first and the last packet
// before it is worth a word: a quiet minute is no gap.
const edge = tables.Time(time.Minute / time.Microsecond)

// merge joins periods that overlap or lie within edge of each other.
func merge(periods []period, within tables.Time) []period {
	slices.SortFunc(periods, func(a, b period) int { return cmp.Compare(a.from, b.from) })
	var out []period
	for _, p := range periods {
		if n := len(out); n > 0 && p.from <= out[n-1].to+within {
			out[n-1].to = max(out[n-1].to, p.to)
		} else {
			out = append(out, p)
		}
	}
	return out
}

// gaps reports what is missing from an answer.
func (e *Engine) gaps(ctx *sql.Context, found []string) error {
	if len(found) == 0 {
		return nil
	}
	if gapsAreErrors(ctx) {
		return userError("%s (wiresql_gaps is 'error')", strings.Join(found, "; "))
	}
	warn(ctx, found)
	return nil
}

// warn adds warnings to an answer.
func warn(ctx *sql.Context, texts []string) {
	said := ctx.Session.Warnings()
	for _, text := range texts {
		if slices.ContainsFunc(said, func(w *sql.Warning) bool { return w.Message == text }) {
			continue // a statement may be looked at more than once
		}
		ctx.Session.Warn(&sql.Warning{Level: "Warning", Code: 1105, Message: text})
	}
}

// onlyReported is said where packets, or what is learnt from them, are asked of
// an archive of exporters' rows.
const onlyReported = "the archive holds no packets, only what exporters reported"

// outside says how the time a plan asks about goes beyond what was recorded.
func (s *snapshot) outside(p *pushdown.Plan) []string {
	if !slices.ContainsFunc(p.Scans, ofRecording) {
		return nil
	}
	recorded := s.recorded
	if len(recorded) == 0 {
		first, last, ok := s.catalog.Bounds()
		if ok {
			recorded = []period{{first, last}}
		}
	}
	if slices.ContainsFunc(p.Scans, reported) {
		recorded = s.withReported(recorded)
	}
	if len(recorded) == 0 {
		if len(s.catalog.Files(archive.Exports)) > 0 {
			return []string{onlyReported}
		}
		return []string{"the archive holds no packets and no flows yet"}
	}
	found := beyond(recorded, p.Bounds, "the archive holds %s to %s", "nothing was recorded")
	if found == nil && slices.ContainsFunc(timed(p, p.Bounds), ofPackets) { // exporters' rows have none
		if len(s.recorded) == 0 && len(s.catalog.Segments()) == 0 {
			return []string{onlyReported}
		}
		found = beyond(s.recorded, p.Bounds, "packets were captured from %s to %s", "no packets were captured")
	}
	return found
}

// ofRecording tells whether a scan reads what was recorded, or what leads to it.
func ofRecording(s *pushdown.ScanPlan) bool { return captured(s.Relation) || ofPackets(s) }

// ofPackets tells whether a scan reads packets, or what leads to them.
func ofPackets(s *pushdown.ScanPlan) bool {
	return pushdown.IsPackets(s.Relation) || s.Relation == pushdown.FlowIndex || s.Relation == pushdown.OtherIndex
}

// beyond says how bounds go beyond what was recorded.
func beyond(recorded []period, b pushdown.Bounds, holding, nothing string) []string {
	if len(recorded) == 0 || b.Timeless() || b.From >= b.To {
		return nil
	}
	first, last := recorded[0].from, recorded[len(recorded)-1].to
	holds := fmt.Sprintf(holding, timeText(first), timeText(last))
	asked := rangeText(b)
	within := slices.ContainsFunc(recorded, func(p period) bool { return p.from < b.To && p.to >= b.From })
	switch {
	case !within:
		return []string{holds + "; " + nothing + " in the range asked for (" + asked + ")"}
	case b.From != pushdown.MinTime && b.From < first-edge, b.To != pushdown.MaxTime && b.To > last+edge:
		return []string{holds + "; " + nothing + " in the rest of the range asked for (" + asked + ")"}
	}
	return nil
}

// captured tells whether a relation's rows come from captured traffic, so that
// no rows in a time nobody recorded means nothing.
func captured(rel *tables.Relation) bool {
	return rel.Schema == tables.Main && rel != tables.Hosts && !rel.Given
}

// reported tells whether a scan's rows may come from exporters.
func reported(s *pushdown.ScanPlan) bool {
	families := pushdown.Families(s.Relation)
	return slices.Contains(families, string(archive.Exports)) && !slices.Contains(s.Bounds.Without, string(archive.Exports)) ||
		ofConnections(families)
}

// withReported adds the times of exporters' rows.
func (s *snapshot) withReported(recorded []period) []period {
	files := s.catalog.Files(archive.Exports)
	if len(files) == 0 {
		return recorded
	}
	all := slices.Clone(recorded)
	for _, f := range files {
		all = append(all, period{f.MinTS, f.MaxTS})
	}
	return merge(all, edge)
}

// gone says which of the packets a run wants can't be read.
func (r *run) gone() []string {
	out := r.snap.unseen(r.plan.AllScans())
	for _, k := range r.packets {
		out = append(out, r.snap.unreadable(k.keys.refs)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// uncaptured says of how many of the conversations, or flows, whose packets a run
// wants there are none, because no sensor saw them.
func (r *run) uncaptured(ctx *sql.Context) ([]string, error) {
	if len(r.snap.catalog.Files(archive.Exports)) == 0 {
		return nil, nil
	}
	for _, k := range r.packets {
		rel, whose := tables.Connections, "conversation"
		if k.plan.KeyColumn == "flow_id" {
			rel, whose = tables.Flows, "flow"
		}
		values, err := r.values(ctx, k)
		if err != nil {
			return nil, err
		}
		have := map[uint64]bool{}
		for _, o := range k.keys.owners {
			if whose == "flow" {
				have[uint64(o.flow)] = true
			} else {
				have[uint64(o.conn)] = true
			}
		}
		wanted := ""
		scan := &pushdown.ScanPlan{Relation: rel, Columns: []string{k.plan.KeyColumn, "packet_status"},
			Bounds: pushdown.Bounds{From: pushdown.MinTime, To: pushdown.MaxTime}}
		if k.plan.Source != nil && len(values) > maxKeys {
			if wanted, err = r.fill(*k.plan.Source, "", "which "+k.plan.KeyColumn); err != nil {
				return nil, err
			}
			wanted = "SELECT k FROM (" + wanted + ") s(k, n)"
		} else {
			var list []string
			var equal []pushdown.Equality
			for _, v := range values {
				if !have[v] {
					list = append(list, strconv.FormatUint(v, 10))
					equal = append(equal, pushdown.Equality{Column: k.plan.KeyColumn, Value: v})
				}
			}
			if wanted = strings.Join(list, ", "); wanted == "" {
				continue
			}
			scan.Bounds.Equal = [][]pushdown.Equality{equal}
		}
		one := &reading{relation: rel, why: "whose packets nobody captured", scan: scan}
		from, err := r.scanText(scan, one)
		if err != nil {
			return nil, err
		}
		text := fmt.Sprintf("SELECT count(DISTINCT %[1]s)::VARCHAR FROM (%[2]s) WHERE packet_status = '%[3]s' AND %[1]s IN (%[4]s)", k.plan.KeyColumn, from, tables.NotCaptured, wanted)
		count, err := r.engine.oneRow(ctx, text)
		if err != nil {
			return nil, err
		}
		if n, _ := strconv.ParseInt(count[0], 10, 64); n > 0 {
			return []string{fmt.Sprintf("no packets of %s were captured: exporters alone reported them", quantity(n, whose))}, nil
		}
	}
	return nil, nil
}

// ended reports packets that turned out unreadable only when they were read:
// a capture that lies in place is compared with what was imported then. Their
// rows are missing from an answer that has been given by now. And of packets
// that were cut, frame and payload are not all there was.
func (r *run) ended() error {
	var found []string
	for _, k := range r.packets {
		if n := k.cut.Load(); n > 0 {
			found = append(found, fmt.Sprintf("frame and payload of %s are not whole: so much of them was captured", quantity(n, "packet")))
		}
		s := k.stats.Load()
		if s == nil {
			continue
		}
		found = append(found, r.snap.unread(s)...)
	}
	slices.Sort(found)
	return r.engine.gaps(r.ctx, found)
}

// unread says which packets, counted by segment, could not be read though
// their segments are there.
func (s *snapshot) unread(stats *archive.FetchStats) []string {
	var out []string
	for number, n := range stats.Missing {
		if info, ok := s.catalog.Segment(number); ok && info.State == archive.StateAvailable {
			text := s.segmentText(number, info, int(n))
			if err := stats.Damage[number]; err != nil {
				text += ": " + err.Error()
			}
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return out
}

// maxNamed bounds the segments that are named one by one.
const maxNamed = 5

// unreadable says which of the packets can't be read, and why.
func (s *snapshot) unreadable(refs []archive.Ref) []string {
	var out []string
	segments, packets := 0, 0
	s.bySegment(refs, func(number uint32, info *archive.SegmentInfo, n int) {
		if info != nil && info.State == archive.StateAvailable {
			return
		}
		if segments++; segments > maxNamed {
			packets += n
			return
		}
		out = append(out, s.segmentText(number, info, n))
	})
	if segments > maxNamed {
		least := ""
		if len(s.catalog.Evicted(archive.Flows))+len(s.catalog.Evicted(archive.Other)) > 0 {
			least = "at least "
		}
		out = append(out, fmt.Sprintf("%s%d packets of %d more segments can't be read", least, packets, segments-maxNamed))
	}
	return out
}

// segmentText says how many packets of a segment can't be read, and why. They are
// counted by the rows that name them: of those some may be gone, too.
func (s *snapshot) segmentText(number uint32, info *archive.SegmentInfo, packets int) string {
	if info != nil && s.unnamed(info) && int64(packets) < info.Packets {
		return "at least " + segmentText(number, info, packets)
	}
	return segmentText(number, info, packets)
}

// unnamed tells whether rows may be gone that led to packets of a segment.
func (s *snapshot) unnamed(info *archive.SegmentInfo) bool {
	for _, family := range []archive.Family{archive.Flows, archive.Other} {
		if slices.ContainsFunc(s.catalog.Evicted(family), func(e archive.Evicted) bool {
			return !info.TS.Set || e.TS <= info.TSEnd.V && e.TSEnd >= info.TS.V
		}) {
			return true
		}
	}
	return slices.ContainsFunc(s.catalog.Damage(), func(d archive.Damage) bool {
		return (d.Family == archive.Flows || d.Family == archive.Other) && !d.Stray && (!info.TS.Set || d.From <= info.TSEnd.V && d.To >= info.TS.V)
	})
}

func segmentText(number uint32, info *archive.SegmentInfo, packets int) string {
	if info == nil {
		return fmt.Sprintf("%d packets can't be read: segment %d is not in the catalogue", packets, number)
	}
	at := ""
	if info.TS.Set && info.TSEnd.Set {
		at = fmt.Sprintf(" of %s to %s", timeText(info.TS.V), timeText(info.TSEnd.V))
	}
	reason := "is not what was imported, or damaged"
	switch info.State {
	case archive.StateEvicted:
		thing, were := "packets", "were"
		if packets == 1 {
			thing, were = "packet", "was"
		}
		return fmt.Sprintf("%d %s%s %s evicted at %s %s: segment %d", packets, thing, at, were, timeText(info.Evicted.EvictedAt), becauseOf(info.Evicted.Reason), number)
	case archive.StateMissing:
		reason = "is missing"
		if n := info.Root(); n > 0 {
			reason = fmt.Sprintf("is missing: ops.roots has whether the disk of root %d is there", n)
		}
	case archive.StateChanged:
		reason = "is no longer the file that was imported"
	}
	return fmt.Sprintf("%d packets%s can't be read: segment %d (%s) %s", packets, at, number, info.Path, reason)
}

func timeText(t tables.Time) string {
	return time.UnixMicro(int64(t)).UTC().Format("2006-01-02 15:04:05.999999")
}

func rangeText(b pushdown.Bounds) string {
	switch {
	case b.From == pushdown.MinTime:
		return "before " + timeText(b.To)
	case b.To == pushdown.MaxTime:
		return "since " + timeText(b.From)
	}
	return timeText(b.From) + " to " + timeText(b.To)
}
