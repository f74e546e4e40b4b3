package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// The row source of statements that are not pushed down: each relation is
// read whole. It shares the relations' SQL with the compiled path, but packets
// are found by walking the segments, not by a key plan.

// kinds maps the kinds of columns to the compiler's.
var kinds = map[tables.Kind]pushdown.Kind{
	tables.Timestamp: pushdown.Time, tables.Double: pushdown.Double, tables.Int: pushdown.Integer,
	tables.BigInt: pushdown.Integer, tables.Bool: pushdown.Bool, tables.Text: pushdown.Text,
	tables.HostName: pushdown.Text, tables.Address: pushdown.Address, tables.Identifier: pushdown.ID,
	tables.CommunityID: pushdown.Community, tables.MAC: pushdown.MAC, tables.Bytes: pushdown.Bytes,
}

// rows reads a relation whole, once more when a file of it is gone by now.
func (e *Engine) rows(ctx *sql.Context, rel *tables.Relation) (sql.RowIter, error) {
	snap, err := e.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if pushdown.IsPackets(rel) {
		return e.walk(ctx, snap, rel)
	}
	it, err := e.read(ctx, snap, rel)
	if !fileGone(err) {
		return it, err
	}
	if snap, err = e.again(ctx); err != nil {
		return nil, err
	}
	return e.read(ctx, snap, rel)
}

// read reads the row files of a relation.
func (e *Engine) read(ctx *sql.Context, snap *snapshot, rel *tables.Relation) (sql.RowIter, error) {
	names := make([]string, len(rel.Columns))
	for i, c := range rel.Columns {
		names[i] = c.Name
	}
	all := []*pushdown.ScanPlan{{Relation: rel, Columns: names, Bounds: pushdown.Bounds{From: pushdown.MinTime, To: pushdown.MaxTime}}}
	snap, done, err := e.withRecent(ctx, snap, all)
	if err != nil {
		return nil, err
	}
	text, err := e.relationText(snap, rel, names, nil)
	if err == nil {
		err = e.gaps(ctx, snap.unseen(all))
	}
	var cur *cursor
	if err == nil {
		cur, err = e.duck.query(ctx, text)
	}
	if err != nil {
		done()
		return nil, err
	}
	r, err := relationResult(cur, rel, done)
	if err != nil {
		return nil, err
	}
	return endWith(ctx, r), nil
}

// statementRows are rows that end with their statement at the latest:
// go-mysql-server leaves those of a subquery with a LIMIT open.
type statementRows struct {
	mu    sync.Mutex
	rows  sql.RowIter
	ended bool
	stop  func() bool
}

func endWith(ctx *sql.Context, rows sql.RowIter) sql.RowIter {
	it := &statementRows{rows: rows}
	it.stop = context.AfterFunc(ctx, func() { it.end(ctx) })
	return it
}

// Next implements sql.RowIter.
func (s *statementRows) Next(ctx *sql.Context) (sql.Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, cmp.Or(context.Cause(ctx), io.EOF)
	}
	return s.rows.Next(ctx)
}

// Close implements sql.RowIter.
func (s *statementRows) Close(ctx *sql.Context) error {
	s.stop()
	return s.end(ctx)
}

func (s *statementRows) end(ctx *sql.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	s.ended = true
	return s.rows.Close(ctx)
}

// relationText is the SQL of a relation over its files; keep, when not nil,
// picks them.
func (e *Engine) relationText(snap *snapshot, rel *tables.Relation, columns []string, keep func(archive.File) bool) (string, error) {
	var files []archive.File
	for _, family := range pushdown.Families(rel) {
		for _, f := range snap.catalog.Files(archive.Family(family)) {
			if keep == nil || keep(f) {
				files = append(files, f)
			}
		}
	}
	if err := snap.loadHosts(context.Background(), e.duck, rel, columns); err != nil {
		return "", err
	}
	return pushdown.RelationSQL(rel, columns, snap.source(files))
}

// relationResult reads a cursor whose columns carry the relation's names.
func relationResult(cur *cursor, rel *tables.Relation, finish func()) (*result, error) {
	r := &result{cur: cur, finish: finish}
	at := map[string]int{}
	for i, c := range cur.columns {
		at[c.name] = i
	}
	schema := newTable(nil, rel).schema
	for i, c := range rel.Columns {
		f := fieldOf(kinds[c.Kind], schema[i].Type)
		main := c.Name
		if c.Kind == tables.Address {
			main = c.Name + "_hi"
			f.b = at[c.Name+"_lo"]
		}
		var ok bool
		if f.a, ok = at[main]; !ok {
			r.close()
			return nil, fmt.Errorf("relation %s came without column %s", rel.Name, main)
		}
		r.columns = append(r.columns, f)
	}
	return r, nil
}

// walk reads every packet of every segment that is there, in segment order.
// What a packet inherits from its flow row comes from the postings of all
// rows, turned round.
func (e *Engine) walk(ctx *sql.Context, snap *snapshot, rel *tables.Relation) (sql.RowIter, error) {
	all := &pushdown.PacketPlan{From: pushdown.MinTime, To: pushdown.MaxTime,
		Advice: "it is not pushed down, so every packet is read; EXPLAIN says why"}
	if err := e.admitAll(ctx, snap, all); err != nil {
		return nil, err
	}
	keys, err := e.allKeys(ctx, snap)
	if err != nil {
		return nil, err
	}
	if err := e.gaps(ctx, snap.unreadable(keys.refs)); err != nil {
		return nil, err
	}
	wctx, cancel := context.WithCancel(ctx)
	it := &walkIter{engine: e, snap: snap, rel: rel, missing: map[uint32]int64{}, rows: make(chan []sql.Row, 4), cancel: cancel, ended: make(chan struct{})}
	for _, c := range rel.Columns {
		it.getters = append(it.getters, packetFields[c.Name])
	}
	go func() {
		defer close(it.ended)
		defer close(it.rows)
		defer func() {
			if p := recover(); p != nil {
				it.err = fmt.Errorf("internal error reading packets: %v", p)
			}
		}()
		it.err = it.produce(wctx, keys)
	}()
	return it, nil
}

// allKeys are the packets of all flow and other rows.
func (e *Engine) allKeys(ctx context.Context, snap *snapshot) (*keySet, error) {
	flows, err := e.relationText(snap, pushdown.FlowIndex, []string{"flow_id", "conn_id", "src_ip", "src_port", "dst_port", "postings"}, nil)
	if err != nil {
		return nil, err
	}
	set, err := collectKeys(ctx, e.duck, flows)
	if err != nil {
		return nil, err
	}
	other, err := e.relationText(snap, pushdown.OtherIndex, []string{"postings"}, nil)
	if err != nil {
		return nil, err
	}
	more, err := collectKeys(ctx, e.duck, other)
	if err != nil {
		return nil, err
	}
	for _, r := range more.refs {
		set.refs = append(set.refs, archive.Ref{ID: r.ID, Owner: r.Owner + int32(len(set.owners))})
	}
	set.owners = append(set.owners, more.owners...)
	set.sort()
	return set, nil
}

type walkIter struct {
	engine  *Engine
	snap    *snapshot
	rel     *tables.Relation
	getters []func(*packet, *cell)
	rows    chan []sql.Row
	batch   []sql.Row
	cancel  context.CancelFunc
	ended   chan struct{}
	err     error // valid once rows is closed
	// missing counts the packets that could not be read, by segment; valid
	// once rows is closed.
	missing map[uint32]int64
}

// Next implements sql.RowIter.
func (it *walkIter) Next(ctx *sql.Context) (sql.Row, error) {
	for len(it.batch) == 0 {
		var ok bool
		if it.batch, ok = <-it.rows; !ok {
			if it.err != nil {
				return nil, it.err
			}
			if err := it.engine.gaps(ctx, it.snap.unread(it.missing)); err != nil {
				return nil, err
			}
			return nil, io.EOF
		}
	}
	row := it.batch[0]
	it.batch = it.batch[1:]
	return row, nil
}

// Close implements sql.RowIter.
func (it *walkIter) Close(*sql.Context) error {
	it.cancel()
	<-it.ended
	return nil
}

func (it *walkIter) produce(ctx context.Context, keys *keySet) error {
	posted := map[uint32]int64{}
	it.snap.bySegment(keys.refs, func(number uint32, _ *archive.SegmentInfo, n int) { posted[number] = int64(n) })
	var p packet
	var value cell
	var batch []sql.Row
	info := it.rel.Column("info") != nil
	flush := func() error {
		select {
		case it.rows <- batch:
			batch = nil
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for _, seg := range it.snap.catalog.Segments() {
		if seg.State != archive.StateAvailable {
			continue
		}
		number := uint32(seg.Segment.Segment)
		var found int64
		err := it.engine.archive.Walk(ctx, it.snap.catalog, number, func(rec *archive.Record) error {
			id := tables.PacketID(number, rec.Offset)
			i, ok := slices.BinarySearchFunc(keys.refs, id, func(r archive.Ref, id tables.ID) int {
				switch {
				case r.ID < id:
					return -1
				case r.ID > id:
					return 1
				}
				return 0
			})
			if !ok {
				return nil // not posted: its import was not committed
			}
			found++
			p.set(id, &keys.owners[keys.refs[i].Owner], seg.Sensor, rec)
			if info {
				p.info = appendInfo(p.info, &p.header, rec.Data)
			}
			row := make(sql.Row, len(it.getters))
			for i, get := range it.getters {
				value.null = false
				get(&p, &value)
				row[i] = value.boxed(it.rel.Columns[i].Kind)
			}
			if batch = append(batch, row); len(batch) == 256 {
				return flush()
			}
			return nil
		})
		var damage *archive.DamageError
		if err != nil && !errors.As(err, &damage) {
			return err
		}
		if n := posted[number] - found; n > 0 {
			it.missing[number] = n
		}
	}
	if len(batch) > 0 {
		return flush()
	}
	return nil
}

// boxed is the cell as go-mysql-server's operators expect it.
func (c *cell) boxed(k tables.Kind) any {
	if c.null {
		return nil
	}
	switch k {
	case tables.Timestamp:
		return time.UnixMicro(c.n).UTC()
	case tables.Int:
		return int32(c.n)
	case tables.BigInt:
		return c.n
	case tables.Bool:
		return int8(c.n)
	case tables.Address:
		return tables.Addr{Hi: c.hi, Lo: c.lo}.String()
	case tables.Identifier:
		return tables.ID(c.hi).String()
	case tables.MAC:
		return string(appendMAC(nil, uint64(c.n)))
	case tables.Bytes:
		return append([]byte{}, c.text...)
	}
	return string(c.text)
}
