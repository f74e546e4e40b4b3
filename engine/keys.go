package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// Which packets a statement reads, and whose they are: what a key plan finds
// in flow rows. The rows come from DuckDB, or, when they are few and named by
// a key, from the archive page by page: DuckDB unpacks all postings of a row
// group for those of one row.

// keySet is what a key query found: the packets and who owns them.
type keySet struct {
	refs   []archive.Ref
	owners []owner
	// find, when not nil, completes an owner whose addresses and ports are
	// not known yet.
	find func(*owner) error
}

// maxPackets bounds a key set: 16 bytes each are held while it is read.
const maxPackets = 64 << 20

var errTooManyPackets = errors.New("too many packets")

// collectKeys runs a key query and decodes its postings. A row may come more
// than once; each packet is kept once.
func collectKeys(ctx context.Context, d *duck, text string) (*keySet, error) {
	cur, err := d.query(ctx, text)
	if err != nil {
		return nil, err
	}
	defer cur.close()
	at := map[string]int{}
	for i, c := range cur.columns {
		at[c.name] = i
	}
	postings, ok := at["postings"]
	if !ok {
		return nil, errors.New("key query has no column postings")
	}
	set := &keySet{}
	seen := map[tables.ID]bool{}
	for {
		view, err := cur.next()
		if err != nil {
			return nil, err
		}
		if view == nil {
			break
		}
		id := func(name string, row int) (tables.ID, bool) {
			i, ok := at[name]
			if !ok || view.vectors[i].null(row) {
				return 0, false
			}
			return tables.ID(view.vectors[i].uint64(row)), true
		}
		number := func(name string, row int) (int64, bool) {
			i, ok := at[name]
			if !ok || view.vectors[i].null(row) {
				return 0, false
			}
			return view.vectors[i].int64(row), true
		}
		for row := range view.n {
			if view.vectors[postings].null(row) {
				continue
			}
			var o owner
			o.flow, o.ok = id("flow_id", row)
			if o.ok {
				if seen[o.flow] {
					continue
				}
				seen[o.flow] = true
				o.conn, _ = id("conn_id", row)
			}
			hi, okHi := id("src_ip_hi", row)
			lo, _ := id("src_ip_lo", row)
			sp, okPort := number("src_port", row)
			dp, _ := number("dst_port", row)
			o.src, o.srcPort, o.dstPort = tables.Addr{Hi: uint64(hi), Lo: uint64(lo)}, uint16(sp), uint16(dp)
			o.ports = okHi && okPort
			if err := set.add(o, view.vectors[postings].bytes(row)); err != nil {
				return nil, err
			}
		}
	}
	set.sort()
	return set, nil
}

// add takes over the packets of a row.
func (s *keySet) add(o owner, postings []byte) error {
	index := int32(len(s.owners))
	s.owners = append(s.owners, o)
	err := rows.DecodePostings(postings, func(p tables.ID) bool {
		s.refs = append(s.refs, archive.Ref{ID: p, Owner: index})
		return len(s.refs) <= maxPackets
	})
	if err != nil {
		return fmt.Errorf("postings of flow %s: %w", o.flow, err)
	}
	if len(s.refs) > maxPackets {
		return errTooManyPackets
	}
	return nil
}

// sort puts the packets in disk order, each once.
func (s *keySet) sort() {
	slices.SortFunc(s.refs, func(a, b archive.Ref) int { return cmp.Compare(a.ID, b.ID) })
	s.refs = slices.CompactFunc(s.refs, func(a, b archive.Ref) bool { return a.ID == b.ID })
}
