package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// Packets that a statement names by their ids are read first, and their flow
// rows are found by what they say of themselves: nothing else does, short of
// turning round the postings of all rows.

// ofNamed finds the owners of named packets. found is false when one of them
// has none that way, as a later fragment or a packet without IP: then the key
// plan has to be run.
func (r *run) ofNamed(ctx context.Context, k *packetsRun) (found bool, err error) {
	refs := make([]archive.Ref, len(k.plan.IDs))
	for i, id := range k.plan.IDs {
		refs[i].ID = id
	}
	slices.SortFunc(refs, func(a, b archive.Ref) int { return cmp.Compare(a.ID, b.ID) })
	refs = slices.CompactFunc(refs, func(a, b archive.Ref) bool { return a.ID == b.ID })
	var p packet
	wanted := map[tables.ID]bool{}
	var cids []uint64
	bounds := pushdown.Bounds{From: pushdown.MaxTime, To: pushdown.MinTime}
	stats, err := r.engine.archive.Fetch(ctx, r.snap.catalog, refs, func(ref archive.Ref, rec *archive.Record) error {
		p.set(ref.ID, nil, "", rec)
		ts := tables.Time(floorDiv(rec.TS, 1000))
		bounds.From, bounds.To = min(bounds.From, ts), max(bounds.To, ts+1)
		wanted[ref.ID] = true
		if h := &p.header; h.IP {
			src, dst := p.communityPorts()
			cid, err := tables.ParseCommunityID(tables.CommunityIDText(h.Src, h.Dst, src, dst, h.Protocol))
			if err != nil {
				return err
			}
			cids = append(cids, cid)
		}
		return nil
	})
	if err != nil || len(stats.Missing) > 0 || len(cids) == 0 {
		return false, err // what can't be read is for the key plan to say
	}
	var files []archive.File
	all := r.snap.catalog.Files(archive.Flows)
	for _, f := range all {
		if r.snap.matters(f, bounds) {
			files = append(files, f)
		}
	}
	set := &keySet{}
	columns := []string{"postings", "ts", "ts_end", "flow_id", "conn_id", "src_hi", "src_lo", "src_port", "dst_port"}
	read, err := archive.Lookup(ctx, files, []archive.Values{{Column: "cid", Any: cids}}, columns, func(f *tables.Flow) error {
		if f.Postings == nil || f.TS >= bounds.To || f.TSEnd < bounds.From {
			return nil
		}
		owner := owner{flow: f.FlowID, conn: f.ConnID, ok: true, src: f.Src, srcPort: uint16(f.SrcPort), dstPort: uint16(f.DstPort), ports: true}
		return archive.DecodePostings(f.Postings, func(id tables.ID) bool {
			if wanted[id] {
				set.refs = append(set.refs, archive.Ref{ID: id, Owner: int32(len(set.owners))})
				set.owners = append(set.owners, owner)
			}
			return true
		})
	})
	if err != nil {
		return false, err
	}
	set.sort()
	if len(set.refs) < len(wanted) {
		return false, nil
	}
	k.keys, k.bytes = set, r.snap.bytesOf(set.refs)
	k.lookup, k.files, k.listed = &read, len(files), len(all)
	k.shown = "rows of flows whose cid is that of one of {{packets named}}"
	return true, nil
}
