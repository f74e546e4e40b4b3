package engine

import (
	"cmp"
	"slices"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// namedPackets is the strategy of packets that a statement names by their ids.
// They are read first, and their flow rows are found by what they say of
// themselves: nothing else does, short of turning round the postings of all
// rows. It gives up when one of them has no row that way, as a later fragment
// or a packet without IP.
type namedPackets struct{}

func (namedPackets) String() string { return "packets named by the statement" }

func (namedPackets) find(ctx *sql.Context, r *run, k *packetsRun) (*found, error) {
	if k.plan.IDs == nil {
		return nil, nil
	}
	refs := make([]archive.Ref, len(k.plan.IDs))
	for i, id := range k.plan.IDs {
		refs[i].ID = id
	}
	slices.SortFunc(refs, func(a, b archive.Ref) int { return cmp.Compare(a.ID, b.ID) })
	refs = slices.CompactFunc(refs, func(a, b archive.Ref) bool { return a.ID == b.ID })
	var p packet
	wanted, flows := map[tables.ID]bool{}, map[tables.ID]bool{}
	var cids []uint64
	bounds := pushdown.Bounds{From: pushdown.MaxTime, To: pushdown.MinTime}
	stats, err := r.engine.archive.Fetch(ctx, r.snap.catalog, refs, func(ref archive.Ref, rec *pcap.Record) error {
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
			if r.snap.folds && h.Protocol == tables.ProtocolTCP { // it may be one of a fold
				from := tables.Unspecified(h.Dst)
				if cid, err = tables.ParseCommunityID(tables.CommunityIDText(from, h.Dst, 0, dst, h.Protocol)); err != nil {
					return err
				}
				cids = append(cids, cid)
			}
		}
		return nil
	})
	if err != nil || len(stats.Missing) > 0 || len(cids) == 0 {
		return nil, err // what can't be read is for the key plan to say
	}
	var read rows.LookupStats
	var files []archive.File
	all := r.snap.catalog.Files(archive.Flows)
	for _, f := range all {
		if r.snap.matters(f, bounds) {
			files = append(files, f)
		}
	}
	if r.snap.rejoined(files) {
		return nil, nil // not all rows are of the conversation their file says
	}
	defer r.looked(pushdown.FlowIndex, "rows of the packets named", all, files, &read)
	set := &keySet{}
	columns := []string{"postings", "ts", "ts_end", "flow_id", "conn_id", "src_hi", "src_lo", "src_port", "dst_port"}
	read, err = rows.Lookup(ctx, archive.RowFiles(files), []rows.Values{{Column: "cid", Any: cids}}, columns, func(f *tables.Flow) error {
		if f.Postings == nil || f.TS >= bounds.To || f.TSEnd < bounds.From {
			return nil
		}
		owner := owner{flow: f.FlowID, conn: f.ConnID, ok: true, src: f.Src, srcPort: uint16(f.SrcPort), dstPort: uint16(f.DstPort), ports: true}
		return rows.DecodePostings(f.Postings, func(id tables.ID) bool {
			if wanted[id] {
				flows[f.FlowID] = true
				set.refs = append(set.refs, archive.Ref{ID: id, Owner: int32(len(set.owners))})
				set.owners = append(set.owners, owner)
			}
			return true
		})
	})
	if err != nil {
		return nil, err
	}
	set.sort()
	if len(set.refs) < len(wanted) {
		return nil, nil
	}
	return &found{keys: set, rows: len(flows), looked: true,
		shown: "rows of flows whose cid is that of one of {{packets named}}"}, nil
}
