package compact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// stored is a conversation an earlier run wrote or carried, which rows of this
// run may change. It is put together again from all its rows, which are in the
// archive, so that what becomes of it does not depend on when which came.
type stored struct {
	key
	cid     uint64
	ts, end tables.Time
	name    string       // server_name
	file    archive.File // where its connection stands
	written bool         // it is in a file of connections; else carried
	found   bool         // its rows were found
	done    bool         // some talk stands for it
}

// step is one run over some files: their rows and all that they touch.
type step struct {
	ctx      context.Context
	cat      *archive.Catalog
	subjects []*subject
	byCID    map[uint64]*subject
	room     []subject // for the next ones
	metered  map[key]*conversation
	// torn are metered conversations with pieces that this run does not see.
	torn   map[key]bool
	stored map[key]*stored
	files  []archive.File // of exports that were read again
}

func newStep(ctx context.Context, cat *archive.Catalog) *step {
	return &step{ctx: ctx, cat: cat, byCID: map[uint64]*subject{}, metered: map[key]*conversation{},
		torn: map[key]bool{}, stored: map[key]*stored{}}
}

// subject returns what is known between two ends.
func (st *step) subject(e *ends) *subject {
	first := st.byCID[e.cid]
	for s := first; s != nil; s = s.next {
		if s.ends == *e {
			return s
		}
	}
	if len(st.room) == 0 {
		st.room = make([]subject, 256)
	}
	s := &st.room[0]
	st.room = st.room[1:]
	s.ends, s.next = *e, first
	st.byCID[e.cid] = s
	st.subjects = append(st.subjects, s)
	return s
}

// scan reads files of one family batch by batch.
func scan[T any](ctx context.Context, f archive.File, fn func([]T) error, columns ...string) error {
	in, err := rows.Open[T](f.File, columns...)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Path, err)
	}
	defer in.Close()
	rows := make([]T, batchRows)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := in.Read(rows)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", f.Path, err)
		}
		if err := fn(rows[:n]); err != nil {
			return err
		}
	}
}

// pieceOfColumns are what exportEnds and pieceOf read, and what changes.
var pieceOfColumns = []string{"ts", "ts_end", "source_type", "observer", "site", "observation_domain_id",
	"src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port", "protocol_number", "icmp_type", "icmp_code",
	"bytes", "packets", "reverse_bytes", "reverse_packets", "sampling_rate", "tcp_flags_number", "reverse_tcp_flags_number",
	"action", "flow_direction", "in_if", "out_if", "tunnel_type", "tunnel_id", "cid", "conn_id"}

// exports takes in the rows of a file no run has seen yet.
func (st *step) exports(f archive.File) error {
	return scan(st.ctx, f, func(rows []tables.Export) error {
		for i := range rows {
			e, side := exportEnds(&rows[i])
			p := pieceOf(&rows[i], side)
			p.was = 0
			st.subject(&e).add(&p)
		}
		return nil
	}, pieceOfColumns...)
}

// carried takes in the conversations that were not over.
func (st *step) carried() error {
	for _, f := range st.cat.Files(archive.Carried) {
		if err := scan(st.ctx, f, func(rows []tables.Carried) error {
			for i := range rows {
				e, p := carriedPiece(&rows[i])
				st.subject(&e).add(&p)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// meter takes in a metered row; fresh tells that no run has seen it yet.
func (st *step) meter(f *tables.Flow, resolved string, fresh bool) {
	id := key{f.ConnID, f.Site}
	c := st.metered[id]
	if c == nil {
		c = &conversation{}
		st.metered[id] = c
		e, _ := flowEnds(f)
		s := st.subject(&e)
		s.metered = append(s.metered, c)
	}
	if c.resolved == "" {
		c.resolved = resolved
	}
	c.fresh = c.fresh || fresh
	c.add(f)
}

// resume takes in a conversation that an earlier run may know the rest of.
func (st *step) resume(id key, c *conversation) {
	r := &c.row
	e, _ := makeEnds(r.Site, r.CID, r.Client, r.Server, r.ClientPort, r.ServerPort, r.Protocol, c.tunnel, c.tunnelID)
	s := st.subject(&e)
	s.metered = append(s.metered, c)
	st.metered[id], c.fresh = c, true
}

// build finds everything the rows touch and divides it into conversations.
func (st *step) build() error {
	for id, c := range st.metered {
		if !c.whole() {
			st.torn[id] = true
		}
	}
	if err := st.lookup(); err != nil {
		return err
	}
	st.uncarry()
	if err := st.reread(); err != nil {
		return err
	}
	for _, s := range st.subjects {
		s.resolve()
		for _, t := range s.talks {
			st.attach(s, t)
		}
	}
	return nil
}

// attach finds what the talk stands for of what was stored.
func (st *step) attach(s *subject, t *talk) {
	add := func(id tables.ID) {
		if o := st.stored[key{id, s.site}]; o != nil && o.written && o.found && !slices.Contains(t.stored, o) {
			t.stored = append(t.stored, o)
			o.done = true
		}
	}
	if t.metered != nil {
		add(t.id)
	}
	for i := range t.pieces {
		if t.pieces[i].was != 0 {
			add(t.pieces[i].was)
		}
	}
	// The first to begin is the one whose place the row takes.
	slices.SortFunc(t.stored, func(a, b *stored) int {
		if a.ts != b.ts {
			return int(min(max(a.ts-b.ts, -1), 1))
		}
		if a.id < b.id {
			return -1
		}
		return 1
	})
}

// lookupRounds bounds how often what was found may lead on to more.
const lookupRounds = 8

// lookup finds the stored connections that new rows may belong to, or stand
// between. What is found may reach others in turn.
func (st *step) lookup() error {
	var fresh []*subject
	for _, s := range st.subjects {
		if len(s.metered) > 0 || slices.ContainsFunc(s.pieces, func(p piece) bool { return p.was == 0 }) {
			s.from, s.to = s.bounds()
			fresh = append(fresh, s)
		}
	}
	for range lookupRounds {
		if len(fresh) == 0 {
			break
		}
		grown, err := st.lookupOnce(fresh)
		if err != nil {
			return err
		}
		fresh = grown
	}
	if len(st.torn) == 0 {
		return nil
	}
	var ids []uint64
	for id := range st.torn {
		ids = append(ids, uint64(id.id))
	}
	for _, f := range st.cat.Files(archive.Connections) {
		if err := find(st.ctx, f, "conn_id", ids, lookupColumns, func(r *tables.Connection) error {
			if id := (key{r.ConnID, r.Site}); st.torn[id] && st.stored[id] == nil {
				st.reopen(r, f)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// find reads the rows of a file whose column has one of the values, and maybe
// others: where they would be many, it reads all.
func find[T any](ctx context.Context, f archive.File, column string, values []uint64, columns []string, fn func(*T) error) error {
	if len(values) == 0 || f.Rows == 0 {
		return nil
	}
	if int64(len(values)) < f.Rows/findRatio {
		_, err := rows.Lookup(ctx, []rows.File{f.File}, []rows.Values{{Column: column, Any: values}}, columns, fn)
		return err
	}
	return scan(ctx, f, func(rows []T) error {
		for i := range rows {
			if err := fn(&rows[i]); err != nil {
				return err
			}
		}
		return nil
	}, columns...)
}

// findRatio: of a file with fewer rows than so many for each value, reading all
// costs less than finding each.
const findRatio = 16

// reopen notes a stored connection that is to be put together again.
func (st *step) reopen(r *tables.Connection, f archive.File) {
	id := key{r.ConnID, r.Site}
	st.stored[id] = &stored{key: id, cid: r.CID, ts: r.TS, end: r.TSEnd, name: r.ServerName, file: f, written: true}
}

// lookupColumns tell whose a stored connection is, and when.
var lookupColumns = []string{"ts", "ts_end", "site", "client_hi", "client_lo", "server_hi", "server_lo", "client_port", "server_port",
	"protocol_number", "server_name", "visibility", "seen_by", "cid", "conn_id"}

// lookupOnce returns the subjects whose bounds have grown.
func (st *step) lookupOnce(fresh []*subject) (grown []*subject, err error) {
	asked, grew := make(map[*subject]bool, len(fresh)), map[*subject]bool{}
	for _, s := range fresh {
		asked[s] = true
	}
	for _, f := range st.cat.Files(archive.Connections) {
		var cids []uint64
		for _, s := range fresh {
			if reach := s.idle() + slack; f.MaxTS >= s.from-reach && f.MinTS <= s.to+reach {
				cids = append(cids, s.cid)
			}
		}
		if err := find(st.ctx, f, "cid", cids, lookupColumns, func(r *tables.Connection) error {
			hit := false
			for s := st.byCID[r.CID]; s != nil; s = s.next {
				if !asked[s] {
					continue
				}
				touches, grows := s.touches(r)
				hit, s.hit = hit || touches, s.hit || touches
				if touches && grows && (r.TS < s.from || r.TSEnd > s.to) {
					s.from, s.to = min(s.from, r.TS), max(s.to, r.TSEnd)
					if !grew[s] {
						grew[s] = true
						grown = append(grown, s)
					}
				}
			}
			if hit && st.stored[key{r.ConnID, r.Site}] == nil {
				st.reopen(r, f)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return grown, nil
}

// touches tells whether a stored connection may be one with what is new of the
// subject, and if so, whether others near to it may be too. A connection has
// no tunnel; if it is another one's, its rows will tell.
func (s *subject) touches(r *tables.Connection) (touches, grows bool) {
	if r.Site != s.site || r.Protocol != s.protocol {
		return false, false
	}
	if !(r.Client == s.low && r.Server == s.high && r.ClientPort == s.lowPort && r.ServerPort == s.highPort) &&
		!(r.Client == s.high && r.Server == s.low && r.ClientPort == s.highPort && r.ServerPort == s.lowPort) {
		return false, false
	}
	reach := s.idle()
	switch metered, several := r.Visibility != "", strings.Contains(r.SeenBy, ","); {
	case metered && several:
		reach += slack
		grows = true
	case metered:
		reach = skew + 1
	default:
		grows = true
	}
	return r.TS-s.to < reach && s.from-r.TSEnd < reach, grows
}

// uncarry gives carried conversations up to reading their rows again, where
// what was made of several rows is not enough: a sensor may divide them, and a
// row between two makes them one, whose rows must change their id.
func (st *step) uncarry() {
	for _, s := range st.subjects {
		first, several := tables.ID(0), false
		for i := range s.pieces {
			if was := s.pieces[i].was; was != 0 && first == 0 {
				first = was
			} else if was != 0 && was != first {
				several = true
			}
		}
		switch {
		case first == 0:
		case s.hit || len(s.metered) > 0:
			st.uncarryIf(s, func(tables.ID) bool { return true })
		case several:
			s.resolve()
			joined := map[tables.ID]bool{}
			for _, t := range s.talks {
				for i := range t.pieces {
					if was := t.pieces[i].was; was != 0 && was != t.id {
						joined[was], joined[t.id] = true, true
					}
				}
			}
			st.uncarryIf(s, func(id tables.ID) bool { return joined[id] })
		}
	}
}

func (st *step) uncarryIf(s *subject, cond func(tables.ID) bool) {
	s.pieces = slices.DeleteFunc(s.pieces, func(p piece) bool {
		if p.was == 0 || !cond(p.was) {
			return false
		}
		id := key{p.was, s.site}
		o := st.stored[id]
		if o == nil {
			o = &stored{key: id, cid: s.cid, ts: p.ts, end: p.end}
			st.stored[id] = o
		}
		o.ts, o.end = min(o.ts, p.ts), max(o.end, p.end)
		return true
	})
}

// unsettled tells whether a file's rows have no conversation yet.
func unsettled(f archive.File) bool { return f.Level == "s" || f.Level == "m" || f.Level == pending }

// reread takes in all rows of what was stored.
func (st *step) reread() error {
	for _, f := range st.cat.Files(archive.Exports) {
		near := st.near(f)
		if len(near) == 0 {
			continue
		}
		st.files = append(st.files, f)
		number := int32(len(st.files))
		if err := find(st.ctx, f, "cid", cidsOf(near), pieceOfColumns, func(x *tables.Export) error {
			o := st.stored[key{x.ConnID.V, x.Site}]
			if o == nil || !x.ConnID.Set {
				return nil
			}
			o.found = true
			e, side := exportEnds(x)
			p := pieceOf(x, side)
			p.file = number
			st.subject(&e).add(&p)
			return nil
		}); err != nil {
			return err
		}
	}
	for _, f := range st.cat.Files(archive.Flows) {
		near := st.near(f)
		if !slices.ContainsFunc(near, func(o *stored) bool { return rows.MayContain(f.File, "conn_id", uint64(o.id)) }) {
			continue
		}
		if err := scan(st.ctx, f, func(rows []tables.Flow) error {
			for i := range rows {
				if o := st.stored[key{rows[i].ConnID, rows[i].Site}]; o != nil {
					o.found = true
					st.meter(&rows[i], o.name, false)
				}
			}
			return nil
		}, pieceColumns...); err != nil {
			return err
		}
	}
	return nil
}

// near lists what was stored whose rows a file may hold by its times.
func (st *step) near(f archive.File) (near []*stored) {
	if unsettled(f) {
		return nil
	}
	for _, o := range st.stored {
		if f.MaxTS >= o.ts-slack && f.MinTS <= o.end+slack {
			near = append(near, o)
		}
	}
	return near
}

func cidsOf(list []*stored) []uint64 {
	cids := make([]uint64, 0, len(list))
	for _, o := range list {
		cids = append(cids, o.cid)
	}
	return cids
}
