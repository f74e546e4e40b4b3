package compact

import (
	"cmp"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// carryLimit bounds the rows of the family carried: pieces of conversations
// that are not over. Past it, the longest silent are taken to be over; what
// still comes of them is folded in.
const carryLimit = 1 << 19

// closing is a talk whose connection is to be written, and when it begins.
type closing struct {
	s  *subject
	t  *talk
	ts tables.Time
	// row is made early when it decides ts.
	row *tables.Connection
}

// divide tells what is over at a time from what is carried on. A conversation
// that was metered, or written before, is written at once: its row stays true
// to what is known.
func (st *step) divide(cutoff tables.Time, limit int) (over, open []closing, forced int64) {
	for _, s := range st.subjects {
		for _, t := range s.talks {
			c := closing{s: s, t: t, ts: t.from}
			if t.metered != nil {
				row := t.connection(s)
				c.row, c.ts = &row, row.TS
			}
			if t.metered != nil || len(t.stored) > 0 || !t.mayGoOn(s.idle(), cutoff) {
				over = append(over, c)
				continue
			}
			sortPieces(t.pieces)
			t.pieces = follow(t.pieces, s.idle())
			open = append(open, c)
		}
	}
	rows := 0
	for _, c := range open {
		rows += len(c.t.pieces)
	}
	if rows > limit {
		slices.SortFunc(open, func(a, b closing) int {
			return cmp.Or(cmp.Compare(a.t.to, b.t.to), cmp.Compare(a.t.id, b.t.id))
		})
		for rows > limit {
			rows -= len(open[0].t.pieces)
			over, open = append(over, open[0]), open[1:]
			forced++
		}
	}
	slices.SortFunc(over, func(a, b closing) int {
		return cmp.Or(cmp.Compare(a.ts, b.ts), cmp.Compare(a.t.id, b.t.id), cmp.Compare(a.s.site, b.s.site))
	})
	return over, open, forced
}

// mayGoOn tells whether rows of the talk may still come. An exporter reports a
// long conversation in rows as long as its active timeout; after one such row,
// the next is due as long after it.
func (t *talk) mayGoOn(idle, cutoff tables.Time) bool {
	wait := idle
	if t.ended() {
		wait = slack
	} else {
		for i := range t.pieces {
			wait = max(wait, min(t.pieces[i].longest, longestWait))
		}
	}
	return t.to+wait > cutoff
}

// ended tells a TCP conversation of which only stragglers are to be expected:
// somebody reported a reset, or the end of each direction that was seen. No
// other protocol's rows have flags.
func (t *talk) ended() bool {
	flags, seen := [2]int32{}, [2]bool{}
	for i := range t.pieces {
		for side, f := range t.pieces[i].flags {
			seen[side] = seen[side] || t.pieces[i].has[side]
			flags[side] |= max(f, 0)
		}
	}
	if (flags[0]|flags[1])&tables.TCPRst != 0 {
		return true
	}
	return (!seen[0] || flags[0]&tables.TCPFin != 0) && (!seen[1] || flags[1]&tables.TCPFin != 0)
}

// longestWait is the longest active timeout that is waited for.
const longestWait = 3600 * tables.Time(1e6)

// connections makes the rows of what is over, in time order, each with the
// file it has its place in, or none.
func (st *step) connections(over []closing, emit func(r *tables.Connection, at *stored) error) error {
	if len(over) == 0 {
		return nil
	}
	names := resolvedNames(st.ctx, st.cat, []archive.File{{File: rows.File{MinTS: over[0].ts, MaxTS: over[len(over)-1].ts}}})
	defer names.stop()
	for _, c := range over {
		r := c.row
		if r == nil {
			row := c.t.connection(c.s)
			r = &row
		}
		var at *stored
		if len(c.t.stored) > 0 {
			at = c.t.stored[0]
		}
		for _, o := range c.t.stored {
			if r.ServerName == "" {
				r.ServerName = o.name
			}
		}
		if r.ServerName == "" && at == nil {
			r.ServerName = names.lookup(r.Client, r.Server, r.Site, r.TS)
		}
		if err := emit(r, at); err != nil {
			return err
		}
	}
	return names.err
}

// write puts the outcome into the batch: connections of what is over, what is
// carried, and the rows of exports with their conversations.
func (st *step) write(tx *archive.Tx, news []archive.File, cutoff tables.Time, limit int, stats *Stats) error {
	moved := st.moved()
	over, open, forced := st.divide(cutoff, limit)
	places := map[string][]tables.Connection{}
	var out *rows.Writer[tables.Connection]
	var buffer []tables.Connection
	flush := func() (err error) {
		if len(buffer) > 0 && out == nil {
			if out, err = archive.NewRowFile[tables.Connection](tx, merged); err != nil {
				return err
			}
		}
		if out != nil {
			err = out.Write(buffer)
		}
		buffer = buffer[:0]
		return err
	}
	if err := st.connections(over, func(r *tables.Connection, at *stored) error {
		if at != nil {
			places[at.file.Path] = append(places[at.file.Path], *r)
			stats.Folded++
			return nil
		}
		stats.Connections++
		if buffer = append(buffer, *r); len(buffer) >= batchRows {
			return flush()
		}
		return nil
	}); err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	if out != nil {
		if _, err := out.Close(); err != nil {
			return err
		}
	}
	if err := st.replaceConnections(tx, places); err != nil {
		return err
	}
	if err := st.writeCarried(tx, open); err != nil {
		return err
	}
	for _, f := range news {
		r, err := tx.Replace([]archive.File{f}, merged)
		if err != nil {
			return err
		}
		if err := st.rewriteExports(tx, r, f, true); err != nil {
			return err
		}
	}
	for _, s := range st.subjects {
		for _, t := range s.talks {
			if len(t.stored) == 0 {
				continue
			}
			for i := range t.pieces {
				if t.pieces[i].was == 0 {
					stats.Late += t.pieces[i].rows
				}
			}
		}
	}
	stats.Forced += forced
	return st.replaceExports(tx, moved)
}

// neighbours returns the files that stand for the same range as f.
func neighbours(files []archive.File, f archive.File) (out []archive.File) {
	for _, g := range files {
		if g.Writer == f.Writer && g.Lane == f.Lane && g.First == f.First && g.Last == f.Last {
			out = append(out, g)
		}
	}
	return out
}

// replace writes the files of one family again that are named in changed, and
// keeps those that stand for the same range.
func replace(tx *archive.Tx, files []archive.File, changed map[string]bool, rewrite func(r *archive.Replacement, f archive.File) error) error {
	done := map[string]bool{}
	for _, f := range files {
		if !changed[f.Path] || done[f.Path] {
			continue
		}
		group := neighbours(files, f)
		r, err := tx.Replace(group, f.Level)
		if err != nil {
			return err
		}
		for _, g := range group {
			done[g.Path] = true
			if changed[g.Path] {
				err = rewrite(r, g)
			} else {
				err = tx.KeepIn(r, g)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// replaceConnections takes the rows out that the run stands for, and puts
// those of places in.
func (st *step) replaceConnections(tx *archive.Tx, places map[string][]tables.Connection) error {
	changed, gone := map[string]bool{}, map[key]bool{}
	for id, o := range st.stored {
		if o.done {
			changed[o.file.Path], gone[id] = true, true
		}
	}
	return replace(tx, st.cat.Files(archive.Connections), changed, func(r *archive.Replacement, f archive.File) error {
		out, err := archive.NewReplacingFile[tables.Connection](tx, r)
		if err != nil {
			return err
		}
		in := places[f.Path]
		until := func(ts tables.Time) error {
			n := 0
			for n < len(in) && in[n].TS <= ts {
				n++
			}
			err := out.Write(in[:n])
			in = in[n:]
			return err
		}
		if err := scan(st.ctx, f, func(rows []tables.Connection) error {
			for i := range rows {
				c := &rows[i]
				if gone[key{c.ConnID, c.Site}] {
					continue
				}
				if err := until(c.TS); err != nil {
					return err
				}
				if err := out.Write(rows[i : i+1]); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
		if err := until(tables.OpenEnd); err != nil {
			return err
		}
		_, err = out.Close()
		return err
	})
}

// moved lists the files of exports with rows that belong to another conversation
// now, or to one that was metered on.
func (st *step) moved() map[string]bool {
	files := map[string]bool{}
	for _, s := range st.subjects {
		for _, t := range s.talks {
			regrown := t.metered != nil && t.metered.fresh
			for i := range t.pieces {
				if p := &t.pieces[i]; p.file > 0 && (p.was != t.id || regrown) {
					files[st.files[p.file-1].Path] = true
				}
			}
		}
	}
	return files
}

// replaceExports gives settled rows the conversation they belong to now.
func (st *step) replaceExports(tx *archive.Tx, changed map[string]bool) error {
	return replace(tx, st.cat.Files(archive.Exports), changed, func(r *archive.Replacement, f archive.File) error {
		return st.rewriteExports(tx, r, f, false)
	})
}

// rewriteExports writes a file's rows with their conversations: all of a new
// file's, else those that were read again.
func (st *step) rewriteExports(tx *archive.Tx, r *archive.Replacement, f archive.File, all bool) error {
	out, err := archive.NewReplacingFile[tables.Export](tx, r)
	if err != nil {
		return err
	}
	if err := scan(st.ctx, f, func(rows []tables.Export) error {
		for i := range rows {
			x := &rows[i]
			if !all {
				if o := st.stored[key{x.ConnID.V, x.Site}]; o == nil || !x.ConnID.Set {
					continue
				}
			}
			st.settle(x)
		}
		return out.Write(rows)
	}); err != nil {
		return err
	}
	_, err = out.Close()
	return err
}

// settle gives a row its conversation; it must be one of the step's.
func (st *step) settle(x *tables.Export) {
	e, _ := exportEnds(x)
	t := st.subject(&e).assign(x.TS, max(x.TS, x.TSEnd))
	x.ConnID, x.Segments, x.CutPackets = tables.Some(t.id), nil, tables.Opt[int64]{}
	if t.metered != nil {
		x.Segments, x.CutPackets = t.metered.row.Segments, t.metered.row.CutPackets
	}
}

// writeCarried replaces what was carried by what is.
func (st *step) writeCarried(tx *archive.Tx, open []closing) error {
	before := st.cat.Files(archive.Carried)
	if len(before) == 0 && len(open) == 0 {
		return nil
	}
	var out *rows.Writer[tables.Carried]
	var err error
	if len(before) == 0 {
		out, err = archive.NewRowFile[tables.Carried](tx, merged)
	} else {
		var r *archive.Replacement
		if r, err = tx.Replace(before, merged); err != nil {
			return err
		}
		out, err = archive.NewReplacingFile[tables.Carried](tx, r)
	}
	if err != nil {
		return err
	}
	slices.SortFunc(open, func(a, b closing) int {
		return cmp.Or(cmp.Compare(a.t.from, b.t.from), cmp.Compare(a.t.id, b.t.id))
	})
	// Their order is nearly that of time, and nobody asks for more: a run
	// reads all of them.
	rows := make([]tables.Carried, 0, batchRows)
	for _, c := range open {
		for i := range c.t.pieces {
			rows = append(rows, c.t.pieces[i].carry(&c.s.ends, c.t.id))
			if len(rows) == batchRows {
				if err := out.Write(rows); err != nil {
					return err
				}
				rows = rows[:0]
			}
		}
	}
	if err := out.Write(rows); err != nil {
		return err
	}
	_, err = out.Close()
	return err
}
