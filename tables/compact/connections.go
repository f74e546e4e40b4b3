package compact

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

const (
	// sortedRows is how many finished conversations of several pieces are
	// sorted in memory before they go to a file.
	sortedRows = 200_000
	// openLimit is how many unfinished ones are kept. Past it, those whose
	// last piece lies openAge back are taken to be over: an import that was
	// cut off leaves conversations nobody closed.
	openLimit = 1 << 20
	openAge   = tables.Time(3600 * 1e6)
)

// conversation is a connection being put together from pieces.
type conversation struct {
	row       tables.Connection
	first     bool  // piece 1 was seen
	last      int32 // highest piece seen, whose state counts
	total     int32 // number of the last piece, 0 until known
	named     int32 // the piece the server's name is from
	encrypted bool
	latest    tables.Time
	resolved  string // the name the client had resolved when it began
	tunnel    string
	tunnelID  int64
	fresh     bool // some row is new in this run
}

// key of a conversation. The same capture imported for two sites has the same
// ids in both.
type key struct {
	id   tables.ID
	site string
}

// builder turns flow rows, in time order, into connections. Those that rows
// of exports, or of an earlier run, may belong to it hands to step.
type builder struct {
	tx      *archive.Tx
	names   *resolutions
	step    *step
	twins   []uint64 // cids exporters' conversations have, ascending
	singles *rows.Writer[tables.Connection]
	buffer  []tables.Connection // singles not written yet
	open    map[key]*conversation
	limit   int                 // of open: see openLimit
	sorted  []tables.Connection // finished conversations of several pieces
	written int64
}

func newBuilder(tx *archive.Tx, names *resolutions, st *step, twins []uint64) *builder {
	return &builder{tx: tx, names: names, step: st, twins: twins, open: map[key]*conversation{}, limit: openLimit}
}

// connect writes the connections of files of flow rows.
func connect(ctx context.Context, tx *archive.Tx, cat *archive.Catalog, files []archive.File, stats *Stats) error {
	twins, err := exportedCIDs(ctx, cat, files)
	if err != nil {
		return err
	}
	names := resolvedNames(ctx, cat, files)
	defer names.stop()
	st := newStep(ctx, cat)
	b := newBuilder(tx, names, st, twins)
	if _, err := mergeRows(ctx, files, flowTime, func(rows []tables.Flow) error {
		for i := range rows {
			if err := b.add(&rows[i]); err != nil {
				return err
			}
		}
		return nil
	}, pieceColumns...); err != nil {
		return err
	}
	if err := errors.Join(b.finish(), names.err); err != nil {
		return err
	}
	stats.Connections += b.written
	if len(st.metered) == 0 {
		return nil
	}
	if err := st.carried(); err != nil {
		return err
	}
	if err := st.build(); err != nil {
		return err
	}
	return st.write(tx, nil, noTime, carryLimit, stats)
}

func (b *builder) add(f *tables.Flow) error {
	id := key{f.ConnID, f.Site}
	if len(b.twins) > 0 {
		if _, found := slices.BinarySearch(b.twins, f.CID); found {
			b.step.meter(f, b.names.lookup(f.Src, f.Dst, f.Site, f.TS), true)
			return nil
		}
	}
	c := b.open[id]
	single := f.Piece.V <= 1 && f.LastPiece.V
	if c == nil && single {
		s := conversation{resolved: b.names.lookup(f.Src, f.Dst, f.Site, f.TS)}
		s.add(f)
		b.buffer = append(b.buffer, s.complete())
		if len(b.buffer) >= batchRows {
			return b.flush()
		}
		return nil
	}
	if c == nil {
		if len(b.open) >= b.limit {
			if err := b.expire(f.TS); err != nil {
				return err
			}
		}
		c = &conversation{resolved: b.names.lookup(f.Src, f.Dst, f.Site, f.TS)}
		b.open[id] = c
	}
	c.add(f)
	if c.whole() {
		delete(b.open, id)
		return b.keep(c)
	}
	return nil
}

// whole tells that all pieces were seen.
func (c *conversation) whole() bool { return c.first && c.total > 0 && c.row.Pieces >= c.total }

// pieceColumns are the columns of a flow row that add and its callers read: a
// third of its bytes.
var pieceColumns = []string{"ts", "ts_end", "sensor", "site", "src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port",
	"protocol_number", "icmp_type", "icmp_code", "bytes", "packets", "reverse_bytes", "reverse_packets", "wire_bytes",
	"reverse_wire_bytes", "service", "conn_state", "oriented_by", "sampling_rate", "action", "piece", "last_piece",
	"server_name", "encrypted", "tunnel_type", "tunnel_id", "cid", "conn_id", "segments", "cut_packets"}

// add counts a piece in.
func (c *conversation) add(f *tables.Flow) {
	r := &c.row
	piece := max(f.Piece.V, 1)
	if r.Pieces == 0 {
		*r = tables.Connection{TS: f.TS, TSEnd: f.TSEnd, Site: f.Site, Sensor: f.Sensor,
			Client: f.Src, ClientPort: f.SrcPort, Server: f.Dst, ServerPort: f.DstPort, Protocol: f.Protocol,
			ICMPType: f.ICMPType, ICMPCode: f.ICMPCode, Service: f.Service, SeenBy: f.Sensor,
			OrientedBy: f.OrientedBy, Sampling: f.Sampling, Action: f.Action, CID: f.CID, ConnID: f.ConnID}
		c.tunnel, c.tunnelID = f.TunnelType, f.TunnelID.V
	}
	if piece == 1 {
		c.first = true
		r.ICMPType, r.ICMPCode, r.OrientedBy = f.ICMPType, f.ICMPCode, f.OrientedBy
	}
	if piece > c.last {
		c.last, r.ConnState = piece, f.ConnState
	}
	if f.LastPiece.V {
		c.total = piece
	}
	r.Pieces++
	r.TS, r.TSEnd = min(r.TS, f.TS), max(r.TSEnd, f.TSEnd)
	c.latest = max(c.latest, f.TSEnd)
	count(&r.ClientBytes, tables.Some(f.Bytes))
	count(&r.ClientPackets, tables.Some(f.Packets))
	count(&r.ServerBytes, f.ReverseBytes)
	count(&r.ServerPackets, f.ReversePackets)
	count(&r.ClientWireBytes, f.WireBytes)
	count(&r.ServerWireBytes, f.ReverseWireBytes)
	count(&r.CutPackets, f.CutPackets)
	c.encrypted = c.encrypted || f.Encrypted.V
	if f.ServerName != "" && (r.ServerName == "" || piece < c.named) {
		r.ServerName, c.named = f.ServerName, piece
	}
	if r.SeenBy != f.Sensor && !slices.Contains(strings.Split(r.SeenBy, ","), f.Sensor) {
		names := append(strings.Split(r.SeenBy, ","), f.Sensor)
		slices.Sort(names)
		r.SeenBy = strings.Join(names, ",")
	}
	if r.Segments == nil && len(f.Segments) > 0 {
		r.Segments = slices.Clip(f.Segments) // the row's own: to insert into it makes another
		return
	}
	for _, s := range f.Segments {
		if i, found := slices.BinarySearch(r.Segments, s); !found {
			r.Segments = slices.Insert(r.Segments, i, s)
		}
	}
}

func count(sum *tables.Opt[int64], v tables.Opt[int64]) {
	if v.Set {
		*sum = tables.Some(tables.AddCounts(sum.V, v.V))
	}
}

// complete settles what depends on the whole conversation.
func (c *conversation) complete() tables.Connection {
	r := c.row
	if r.ServerName == "" {
		r.ServerName = c.resolved
	}
	switch {
	case r.Segments == nil:
	case r.CutPackets.V > 0:
		r.Visibility = tables.Cut
	case r.ClientPackets.V == 0 || r.ServerPackets.V == 0:
		r.Visibility = tables.OneSided
	case c.encrypted:
		r.Visibility = tables.Encrypted
	default:
		r.Visibility = tables.Clear
	}
	return r
}

// keep puts a finished conversation of several pieces aside for sorting.
func (b *builder) keep(c *conversation) error {
	b.sorted = append(b.sorted, c.complete())
	if len(b.sorted) >= sortedRows {
		return b.writeSorted()
	}
	return nil
}

// expire finishes conversations without a piece for a long time.
func (b *builder) expire(now tables.Time) error {
	for id, c := range b.open {
		if c.latest < now-openAge {
			if err := b.leave(id, c); err != nil {
				return err
			}
		}
	}
	// Looking through all of them pays once in so many new ones.
	b.limit = max(openLimit, 2*len(b.open))
	return nil
}

// leave ends a conversation some piece of which is missing. An earlier run may
// have had it, and then wrote a connection.
func (b *builder) leave(id key, c *conversation) error {
	delete(b.open, id)
	for _, f := range b.step.cat.Files(archive.Connections) {
		if rows.MayContain(f.File, "conn_id", uint64(id.id)) {
			b.step.resume(id, c)
			return nil
		}
	}
	return b.keep(c)
}

func (b *builder) flush() error {
	if b.singles == nil {
		f, err := archive.NewRowFile[tables.Connection](b.tx, merged)
		if err != nil {
			return err
		}
		b.singles = f
	}
	b.written += int64(len(b.buffer))
	err := b.singles.Write(b.buffer)
	b.buffer = b.buffer[:0]
	return err
}

func (b *builder) writeSorted() error {
	slices.SortFunc(b.sorted, func(x, y tables.Connection) int {
		switch {
		case x.TS != y.TS:
			return int(min(max(x.TS-y.TS, -1), 1))
		case x.ConnID < y.ConnID:
			return -1
		case x.ConnID > y.ConnID:
			return 1
		}
		return 0
	})
	f, err := archive.NewRowFile[tables.Connection](b.tx, merged)
	if err != nil {
		return err
	}
	b.written += int64(len(b.sorted))
	if err := f.Write(b.sorted); err != nil {
		return err
	}
	b.sorted = b.sorted[:0]
	_, err = f.Close()
	return err
}

// finish writes what is left; every conversation ends with the data.
func (b *builder) finish() error {
	for id, c := range b.open {
		if err := b.leave(id, c); err != nil {
			return err
		}
	}
	if len(b.buffer) > 0 {
		if err := b.flush(); err != nil {
			return err
		}
	}
	if len(b.sorted) > 0 {
		if err := b.writeSorted(); err != nil {
			return err
		}
	}
	if b.singles != nil {
		if _, err := b.singles.Close(); err != nil {
			return err
		}
	}
	return nil
}
