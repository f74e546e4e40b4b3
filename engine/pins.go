package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/compact"
)

// CALL pin(case, condition, from, to) keeps what holds some conversations' rows
// and packets from being evicted, CALL unpin(case) no longer. With those of
// standing.go these are all the procedures there are.

// maxPinned bounds the conversations of one call.
const maxPinned = 1_000_000

// call runs a procedure.
func (e *Engine) call(ctx *sql.Context, c *sqlparser.CallProc, params Parameters) error {
	schema := c.Name.Qualifier.String()
	if schema == "" {
		schema = ctx.GetCurrentDatabase()
	}
	name := strings.ToLower(c.Name.Name.String())
	takes := tables.Procedures[name] // package metadata refuses all others
	pins := name == "pin" || name == "unpin"
	if pins && !e.mayPin(ctx) || !pins && !e.mayHunt(ctx) {
		return e.mayNot(ctx, schema, name)
	}
	if takes >= 0 && len(c.Params) != takes {
		return functions.Errorf(1318, "Incorrect number of arguments for PROCEDURE %s.%s; expected %d, got %d", schema, name, takes, len(c.Params))
	}
	if !pins {
		return e.huntCall(ctx, name, c, params)
	}
	args, err := e.arguments(ctx, c, params)
	if err != nil {
		return err
	}
	if args[0] == "" || len(args[0]) > tables.MaxName {
		return userError("the name of a case has 1 to %d characters", tables.MaxName)
	}
	if name == "unpin" {
		return e.unpin(args[0])
	}
	said, err := e.pin(ctx, args[0], args[1], args[2], args[3])
	warn(ctx, said)
	return err
}

// arguments are those of a CALL, as texts.
func (e *Engine) arguments(ctx *sql.Context, c *sqlparser.CallProc, params Parameters) ([]string, error) {
	args := make([]string, len(c.Params))
	for i, x := range c.Params {
		t, v, err := e.valueOf(ctx, x, params)
		if err != nil {
			return nil, err
		}
		if v == nil {
			return nil, functions.Errorf(1210, "Incorrect arguments to %s: argument %d is NULL", strings.ToLower(c.Name.Name.String()), i+1)
		}
		cell, err := t.SQL(ctx, nil, v)
		if err != nil {
			return nil, err
		}
		args[i] = cell.ToString()
	}
	return args, nil
}

// mayPin tells whether the session's account has the right to.
func (e *Engine) mayPin(ctx *sql.Context) bool { return e.mayExecute(ctx, tables.Ops) }

// mayExecute tells whether the session's account may run what changes something of a
// schema.
func (e *Engine) mayExecute(ctx *sql.Context, schema string) bool {
	if s, ok := ctx.Session.(*session); ok && s.onlyReads {
		return false
	}
	db := e.sql.Analyzer.Catalog.MySQLDb
	return !db.Enabled() || db.UserActivePrivilegeSet(ctx).Database(schema).Has(sql.PrivilegeType_Execute)
}

func (e *Engine) mayNot(ctx *sql.Context, schema, routine string) error {
	client := ctx.Session.Client()
	return functions.Errorf(1370, "execute command denied to user '%s'@'%s' for routine '%s.%s'", client.User, client.Address, schema, routine)
}

func (e *Engine) unpin(name string) error {
	return e.archive.ChangePins(func(pins []archive.Pin) ([]archive.Pin, error) {
		left := slices.DeleteFunc(slices.Clone(pins), func(p archive.Pin) bool { return p.Case == name })
		if len(left) == len(pins) {
			return nil, userError("nothing is pinned for case '%s': see ops.pins", name)
		}
		return left, nil
	})
}

// pin pins, and says what is not as one would think.
func (e *Engine) pin(ctx *sql.Context, name, condition, from, to string) (said []string, err error) {
	// One expression it has to be, and no more.
	text := "SELECT conn_id, UNIX_TIMESTAMP(ts), UNIX_TIMESTAMP(ts_end), UNIX_TIMESTAMP(" + functions.Quote(from) + "), UNIX_TIMESTAMP(" + functions.Quote(to) + ") FROM connections c WHERE "
	st, err := pushdown.Parse("SELECT 1 FROM connections c WHERE (" + condition + ")")
	if err != nil {
		return nil, err
	}
	s, ok := st.AST.(*sqlparser.Select)
	if !ok || s.Where == nil || s.GroupBy != nil || s.Having != nil || s.Limit != nil || s.OrderBy != nil || s.With != nil {
		return nil, userError("the condition of a pin is one expression over connections c, as behind WHERE")
	}
	text += "(" + condition + "\n) AND overlaps(ts, ts_end, " + functions.Quote(from) + ", " + functions.Quote(to) + ")"
	w, err := e.conversations(ctx, text)
	if err != nil {
		return nil, err
	}
	if len(w.ids) == 0 {
		return []string{"no conversation matches: nothing is pinned"}, nil
	}
	pin := archive.Pin{Case: name, Condition: condition, From: w.from, To: w.to, Account: ctx.Session.Client().User, PinnedAt: tables.Time(time.Now().UnixMicro())}
	catalog, err := e.archive.Catalog()
	if err != nil {
		return nil, err
	}
	if err := w.findRows(ctx, catalog, &pin); err != nil {
		return nil, err
	}
	if err := e.archive.ChangePins(func(pins []archive.Pin) ([]archive.Pin, error) { return append(pins, pin), nil }); err != nil {
		return nil, err
	}
	// From here on nothing of it goes; before, something may have.
	e.archive.Refresh()
	if catalog, err = e.archive.Catalog(); err != nil {
		return nil, err
	}
	gone := 0
	for _, n := range pin.Segments {
		if info, ok := catalog.Segment(n); !ok || info.State != archive.StateAvailable {
			gone++
		}
	}
	if gone > 0 {
		said = append(said, fmt.Sprintf("of %d packet files of these conversations %d are gone already: see ops.segments", len(pin.Segments), gone))
	}
	return said, nil
}

// wanted are the conversations that are to be pinned.
type wanted struct {
	ids         map[tables.ID]bool
	first, last tables.Time // of their rows
	from, to    tables.Time // that were asked for
}

// conversations runs the query of a pin with the rights of the session.
func (e *Engine) conversations(ctx *sql.Context, text string) (*wanted, error) {
	schema, iter, handled, err := e.Answer(ctx, text, nil)
	if err != nil {
		return nil, err
	}
	if !handled {
		return nil, userError("the condition of a pin is one expression over connections c, as behind WHERE")
	}
	answer := &Rows{Schema: schema, ctx: ctx, iter: iter, cancel: func() {}}
	defer answer.Close()
	w := &wanted{ids: map[tables.ID]bool{}, first: pushdown.MaxTime, last: pushdown.MinTime}
	for {
		row, err := answer.Text()
		if errors.Is(err, io.EOF) {
			return w, nil
		}
		if err != nil {
			return nil, err
		}
		id, err := tables.ParseID(string(row[0]))
		if err != nil {
			return nil, err
		}
		if w.ids[id] = true; len(w.ids) > maxPinned {
			return nil, userError("more than %d conversations match: narrow the condition or the time", maxPinned)
		}
		var at [4]tables.Time
		for i := range at {
			seconds, err := strconv.ParseFloat(string(row[i+1]), 64)
			if err != nil {
				return nil, userError("from and to of a pin are times: '2026-06-12 10:00'")
			}
			at[i] = tables.Time(math.Round(seconds * 1e6))
		}
		w.first, w.last = min(w.first, at[0]-1e6), max(w.last, at[1]+1e6)
		w.from, w.to = at[2], at[3]
	}
}

// findRows finds the row files and segments that have something of them, whichever
// sensor saw it.
func (w *wanted) findRows(ctx context.Context, c *archive.Catalog, pin *archive.Pin) error {
	segments := map[uint32]bool{}
	add := func(list []int32) {
		for _, n := range list {
			segments[uint32(n)] = true
		}
	}
	young := map[uint64]bool{} // community ids: which sensors' rows are one is not decided yet
	families := append([]archive.Family{archive.Flows, archive.Connections, archive.Exports}, slices.Sorted(maps.Keys(conversationsOf))...)
	for _, family := range families {
		for _, f := range c.Files(family) {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			if f.MinTS > w.last || f.MaxTS < w.first {
				continue
			}
			found := false
			var err error
			decided, ok := c.Decisions(f)
			switch f.Family {
			case archive.Flows:
				joined := map[tables.ID]tables.ID{}
				if ok {
					err = readFile(decided.File, func(j *tables.Joined) { joined[j.FlowID] = cmp.Or(j.JoinedID.V, j.ConnID) })
				}
				err = cmp.Or(err, readFile(f.File, func(r *tables.Flow) {
					if !w.ids[cmp.Or(joined[r.FlowID], r.Conversation())] {
						return
					}
					found = true
					w.ids[r.ConnID] = true // as rows of what was observed call it
					add(r.Segments)
					if compact.Unsettled(f) {
						young[r.CID] = true
					}
				}, "flow_id", "conn_id", "joined_id", "cid", "segments"))
			case archive.Connections:
				err = readFile(f.File, func(r *tables.Connection) {
					if w.ids[r.ConnID] {
						found = true
						add(r.Segments)
					}
				}, "conn_id", "segments")
			case archive.Exports:
				has := func(id tables.Opt[tables.ID]) { found = found || id.Set && w.ids[id.V] }
				if ok {
					err = readFile(decided.File, func(r *tables.Assigned) { has(r.ConnID) }, "conn_id")
				}
				err = cmp.Or(err, readFile(f.File, func(r *tables.Export) { has(r.ConnID) }, "conn_id"))
			default:
				err = conversationsOf[f.Family](f.File, func(id tables.ID) { found = found || w.ids[id] })
			}
			if err != nil {
				return err
			}
			if found {
				pin.Ranges = append(pin.Ranges, archive.RowsOf(&f))
			}
		}
		if family != archive.Flows || len(young) == 0 {
			continue
		}
		for _, f := range c.Files(archive.Flows) {
			found := false
			err := error(nil)
			if compact.Unsettled(f) && f.MinTS <= w.last && f.MaxTS >= w.first {
				err = readFile(f.File, func(r *tables.Flow) {
					if young[r.CID] && r.TS <= w.last && r.TSEnd >= w.first {
						found = true
						w.ids[r.ConnID] = true
						add(r.Segments)
					}
				}, "ts", "ts_end", "conn_id", "cid", "segments")
			}
			if err != nil {
				return err
			}
			if r := archive.RowsOf(&f); found && !slices.Contains(pin.Ranges, r) {
				pin.Ranges = append(pin.Ranges, r)
			}
		}
	}
	for n := range segments {
		pin.Segments = append(pin.Segments, n)
	}
	slices.Sort(pin.Segments)
	return nil
}

// conversationsOf tell whose the rows of a file are, of the families whose rows say so.
var conversationsOf = map[archive.Family]func(rows.File, func(tables.ID)) error{
	archive.DNS:        idsOf(func(r *tables.DNS) tables.ID { return r.ConnID }),
	archive.DNSAnswers: idsOf(func(r *tables.DNSAnswer) tables.ID { return r.ConnID }),
	archive.TLS:        idsOf(func(r *tables.TLS) tables.ID { return r.ConnID }),
	archive.HTTP:       idsOf(func(r *tables.HTTP) tables.ID { return r.ConnID }),
	archive.Logins:     idsOf(func(r *tables.Login) tables.ID { return r.ConnID }),
	archive.FileAccess: idsOf(func(r *tables.File) tables.ID { return r.ConnID }),
	archive.RPC:        idsOf(func(r *tables.RPC) tables.ID { return r.ConnID }),
	archive.Mail:       idsOf(func(r *tables.Mail) tables.ID { return r.ConnID }),
	archive.ARP:        idsOf(func(r *tables.ARP) tables.ID { return r.ConnID.V }),
	archive.ICMP:       idsOf(func(r *tables.ICMP) tables.ID { return r.ConnID }),
	archive.DHCP:       idsOf(func(r *tables.DHCP) tables.ID { return r.ConnID }),
	archive.Oddities:   idsOf(func(r *tables.Oddity) tables.ID { return r.ConnID.V }),
}

func idsOf[T any](id func(*T) tables.ID) func(rows.File, func(tables.ID)) error {
	return func(f rows.File, fn func(tables.ID)) error {
		return readFile(f, func(r *T) { fn(id(r)) }, "conn_id")
	}
}

// pinsFeed is a row for each packet file and each range of row files.
func pinsFeed(pins []archive.Pin) feed {
	type row struct {
		pin     *archive.Pin
		family  string
		segment tables.Opt[int64]
		files   string
	}
	var list []row
	for i := range pins {
		p := &pins[i]
		for _, n := range p.Segments {
			list = append(list, row{p, "packets", tables.Some(int64(n)), ""})
		}
		for _, r := range p.Ranges {
			list = append(list, row{p, string(r.Family), tables.Opt[int64]{}, fmt.Sprintf("%s-%s %d to %d", r.Writer, r.Lane, r.First, r.Last)})
		}
	}
	return &listFeed{
		cols: columnsOf(tables.OpsPins),
		rows: len(list),
		write: func(i int, to func(int) *vectorWriter, at int) {
			r := &list[i]
			to(0).setText(at, r.pin.Case)
			to(1).setText(at, r.family)
			putOpt(to(2), at, r.segment)
			to(3).setTextOrNull(at, r.files)
			put(to(4), at, int64(r.pin.From))
			put(to(5), at, int64(r.pin.To))
			to(6).setText(at, r.pin.Condition)
			to(7).setText(at, r.pin.Account)
			put(to(8), at, int64(r.pin.PinnedAt))
		},
	}
}
