package engine

import (
	"fmt"
	"slices"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

// What the archive held and holds no more, or not as it was written, is told
// twice: all of it in ops.damage, and what an answer may lack beside it, as gaps
// of packets are.

// damaged says what of the rows that scans read is gone or unreadable. named
// tells that names of hosts decided what they read.
func (s *snapshot) damaged(scans []*pushdown.ScanPlan, named bool) []string {
	var out []string
	for _, d := range s.catalog.Damage() {
		if !d.Stray && slices.ContainsFunc(scans, func(p *pushdown.ScanPlan) bool { return lacksOf(p, &d, named) }) {
			out = append(out, damageText(&d))
		}
	}
	return atMost(out, "damages: see ops.damage")
}

// lacksOf tells whether what a scan reads may lack rows for a damage.
func lacksOf(p *pushdown.ScanPlan, d *archive.Damage, named bool) bool {
	if slices.Contains(p.Bounds.Without, string(d.Family)) {
		return false
	}
	within := d.From < p.Bounds.To && d.To >= p.Bounds.From
	families := pushdown.Families(p.Relation)
	switch {
	case pushdown.IsPackets(p.Relation):
		families = []string{string(archive.Flows), string(archive.Other), string(archive.Segments)}
	case p.Relation == tables.OpsSegments:
		families = []string{string(archive.Segments)}
	}
	switch d.Family {
	case archive.Packets: // which of its rows' it does not know; who reads them is told where
		return pushdown.ReadsAbsence(p.Columns) && within && !d.OfRoot()
	case archive.Names: // a name holds longer than the answer it was in
		return named || pushdown.ReadsHosts(p.Relation, p.Columns)
	case archive.Segments, archive.Coverage:
		if pushdown.ReadsAbsence(p.Columns) {
			return true
		}
	case archive.Exporters, archive.Sockets: // what exporters lost is said beside their rows
		if reported(p) {
			return within
		}
	case archive.Flows, archive.Exports:
		// What is not settled is seen in connections, too.
		unsettled := d.Level == "" || compact.Unsettled(archive.File{Family: d.Family, Level: d.Level})
		if unsettled && ofConnections(families) {
			return within
		}
	case archive.Carried, archive.Replaced:
		return ofConnections(families) && within
	case archive.Joined:
		return slices.Contains(families, string(archive.Flows)) && within
	case archive.Assigned:
		return slices.Contains(families, string(archive.Exports)) && within
	}
	return within && slices.Contains(families, string(d.Family))
}

// damageText says what is missing for a damage.
func damageText(d *archive.Damage) string {
	rows := "rows"
	if d.Rows >= 0 {
		rows = quantity(d.Rows, "row")
	}
	when := ""
	if d.Times() {
		when = fmt.Sprintf(" of %s to %s", timeText(d.From), timeText(d.To))
	}
	text := fmt.Sprintf("%s of %s%s are missing: ", rows, d.Family, when)
	if d.Family == archive.Packets {
		text = "packets" + when + " can't all be read, whatever their packet_status: "
	}
	if d.File != "" {
		text += d.File + ": "
	}
	return text + d.Reason
}

// rootsFeed is a row for each folder that packets lie in.
func rootsFeed(list []archive.Root) feed {
	return &listFeed{
		cols: columnsOf(tables.OpsRoots),
		rows: len(list),
		write: func(row int, to func(int) *vectorWriter, at int) {
			r := &list[row]
			put(to(0), at, int64(r.Number))
			to(1).setText(at, r.Path)
			to(2).setText(at, r.State)
			put(to(3), at, int64(r.Segments))
			put(to(4), at, r.Bytes)
			here := r.State != tables.SegmentMissing
			putOpt(to(5), at, tables.Opt[tables.Time]{V: r.Oldest, Set: r.Oldest != 0})
			putOpt(to(6), at, tables.Opt[int64]{V: r.Size, Set: here})
			putOpt(to(7), at, tables.Opt[int64]{V: r.Free, Set: here})
			var f archive.Failing
			if r.Failing != nil {
				f = *r.Failing
			}
			to(8).setTextOrNull(at, f.Error)
			putOpt(to(9), at, tables.Opt[tables.Time]{V: f.Since, Set: r.Failing != nil})
		},
	}
}

func damageFeed(list []archive.Damage) feed {
	return &listFeed{
		cols: columnsOf(tables.OpsDamage),
		rows: len(list),
		write: func(row int, to func(int) *vectorWriter, at int) {
			d := &list[row]
			to(0).setTextOrNull(at, string(d.Family))
			to(1).setTextOrNull(at, d.File)
			from, until, rows := tables.Opt[tables.Time]{}, tables.Opt[tables.Time]{}, tables.Opt[int64]{}
			if d.Times() {
				from, until = tables.Some(d.From), tables.Some(d.To)
			}
			if d.Rows >= 0 {
				rows = tables.Some(d.Rows)
			}
			putOpt(to(2), at, from)
			putOpt(to(3), at, until)
			putOpt(to(4), at, rows)
			to(5).setText(at, d.Reason)
		},
	}
}
