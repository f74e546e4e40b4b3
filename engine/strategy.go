package engine

import (
	"errors"
	"slices"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables/archive"
)

// strategy is a way to find which packets a scan reads, and whose they are.
type strategy interface {
	// String is its name, as EXPLAIN shows it.
	String() string
	// find gives the packets, or nil when this way does not lead to them: then
	// the next strategy is asked.
	find(ctx *sql.Context, r *run, k *packetsRun) (*found, error)
}

// strategies are in the order they are tried: the cheapest first.
var strategies = []strategy{namedPackets{}, noKey{}, rowLookup{}, keyList{}, flowQuery{}, everything{}}

// found is what a strategy gives.
type found struct {
	keys  *keySet
	rows  int                // of flows, or of packets without one, that the packets are of
	fetch archive.FetchStats // what reading them will read
	shown string             // what found them, for EXPLAIN
	// looked tells that their rows were looked up instead of asked for.
	looked bool
}

// find asks the strategies in turn.
func (r *run) find(ctx *sql.Context, k *packetsRun) error {
	for _, s := range strategies {
		f, err := s.find(ctx, r, k)
		if errors.Is(err, errTooManyPackets) {
			return userError("this statement asks for more than %d packets: %s", maxPackets, advice(k.plan))
		}
		if err != nil {
			return err
		}
		if f != nil {
			f.fetch = archive.EstimateFetch(r.snap.catalog, f.keys.refs)
			k.by, k.found = s, *f
			return nil
		}
	}
	return errors.New("no strategy finds the packets of a scan")
}

// bySegment counts refs, which are sorted, by segment; info is nil for one the
// catalogue does not know.
func (s *snapshot) bySegment(refs []archive.Ref, fn func(number uint32, info *archive.SegmentInfo, n int)) {
	for len(refs) > 0 {
		number := refs[0].ID.Segment()
		n, _ := slices.BinarySearchFunc(refs, uint64(number)+1, func(r archive.Ref, next uint64) int {
			if uint64(r.ID.Segment()) < next {
				return -1
			}
			return 1
		})
		info, ok := s.catalog.Segment(number)
		if !ok {
			info = nil
		}
		fn(number, info, n)
		refs = refs[n:]
	}
}

// admit refuses a run that would read more packets than the session allows.
func (r *run) admit(ctx *sql.Context) error {
	var bytes int64
	var packets int
	how := ""
	for _, k := range r.packets {
		bytes += k.fetch.Bytes
		packets += len(k.keys.refs)
		how = advice(k.plan)
	}
	if limit := r.engine.scanLimit(ctx); bytes > limit {
		return overLimit(bytes, int64(packets), limit, how)
	}
	return nil
}

// admitAll refuses to read every packet of a time when they exceed the limit.
func (e *Engine) admitAll(ctx *sql.Context, snap *snapshot, p *pushdown.PacketPlan) error {
	var bytes, packets int64
	for _, s := range snap.catalog.Segments() {
		if s.State != archive.StateAvailable || s.TS.Set && s.TS.V >= p.To || s.TSEnd.Set && s.TSEnd.V < p.From {
			continue
		}
		bytes += s.Bytes
		packets += s.Packets
	}
	if limit := e.scanLimit(ctx); bytes > limit {
		return overLimit(bytes, packets, limit, advice(p))
	}
	return nil
}

func overLimit(bytes, packets, limit int64, how string) error {
	return userError("this statement would read about %s of packets (%d), more than wiresql_packet_scan_limit (%s) allows: %s",
		byteText(bytes), packets, byteText(limit), how)
}

func advice(p *pushdown.PacketPlan) string {
	if p.Advice != "" {
		return p.Advice
	}
	return "narrow the time range, or name an address or a port"
}
