package engine

import (
	"fmt"
	"io"
	"strconv"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// packetResult is a result that is the packets found, as they are read from
// their segments: DuckDB would only copy them.
type packetResult struct {
	run     *run
	packets *packetRun
	columns []packetColumn
	chunk   packetChunk
	row     int // next row of chunk, when rows are taken
}

// packetColumn is a column of packets and how it is written.
type packetColumn struct {
	kind   tables.Kind
	get    func(p *packet, c *cell)
	digits int // of fractional seconds
	zone   *functions.Zone
}

// packetChunk is the packets of one batch.
type packetChunk struct {
	batch   *packetBatch
	columns []packetColumn
	cell    cell
}

var _ Columnar = (*packetResult)(nil)

// direct begins to read the packets of a run whose plan has them as its
// result.
func (r *run) direct(feed *packetFeed) (*packetResult, error) {
	rel := r.plan.Packets[0].Relation
	out := &packetResult{run: r}
	var wanted []int
	for i, name := range r.plan.Direct.Columns {
		get := packetFields[name]
		if get == nil {
			return nil, fmt.Errorf("relation %s has no column %s", rel.Name, name)
		}
		f := fieldOf(r.plan.Columns[i].Type, r.plan.Zone)
		out.columns = append(out.columns, packetColumn{rel.Column(name).Kind, get, f.digits, f.zone})
	}
	for i := range feed.fields {
		wanted = append(wanted, i)
	}
	started, err := feed.start(wanted)
	if err != nil {
		return nil, err
	}
	out.packets = started.(*packetRun)
	return out, nil
}

// NextChunk implements Columnar.
func (r *packetResult) NextChunk(*sql.Context) (Chunk, error) {
	if r.packets == nil {
		return nil, io.EOF
	}
	r.packets.recycle()
	batch, ok := <-r.packets.batches
	if !ok {
		if err := r.packets.err; err != nil {
			return nil, err
		}
		if err := r.run.ended(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	r.packets.batch = batch
	r.chunk.batch, r.chunk.columns = batch, r.columns
	return &r.chunk, nil
}

func (r *packetResult) source() *run { return r.run }

// Next implements sql.RowIter.
func (r *packetResult) Next(ctx *sql.Context) (sql.Row, error) {
	for r.chunk.batch == nil || r.row >= r.chunk.Len() {
		r.chunk.batch, r.row = nil, 0
		if _, err := r.NextChunk(ctx); err != nil {
			return nil, err
		}
	}
	row := make(sql.Row, len(r.columns))
	p, c := &r.chunk.batch.packets[r.row], &r.chunk.cell
	for i := range r.columns {
		c.null = false
		r.columns[i].get(p, c)
		c.n = local(r.columns[i].zone, c.n)
		row[i] = c.boxed(r.columns[i].kind)
	}
	r.row++
	return row, nil
}

// Close implements sql.RowIter.
func (r *packetResult) Close(*sql.Context) error {
	if r.packets != nil {
		r.packets.close()
		r.packets = nil
		r.run.finish()
	}
	return nil
}

// Len implements Chunk.
func (k *packetChunk) Len() int { return len(k.batch.packets) }

// AppendText implements Chunk.
func (k *packetChunk) AppendText(dst []byte, col, row int) ([]byte, bool) {
	f, c := &k.columns[col], &k.cell
	c.null = false
	if f.get(&k.batch.packets[row], c); c.null {
		return dst, false
	}
	switch f.kind {
	case tables.Address:
		return tables.Addr{Hi: c.hi, Lo: c.lo}.AppendTo(dst), true
	case tables.Identifier:
		return tables.ID(c.hi).AppendTo(dst), true
	case tables.MAC:
		return tables.AppendMAC(dst, uint64(c.n)), true
	case tables.Timestamp:
		return appendTime(dst, local(f.zone, c.n), f.digits), true
	case tables.Int, tables.BigInt, tables.Bool:
		return strconv.AppendInt(dst, c.n, 10), true
	}
	return append(dst, c.text...), true
}
