package engine

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"regexp"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/engine/hunt"
	"github.com/wiresql/wiresql/tables"
)

// CALL hunt(name, parameter, value, …) is the statement of a saved hunt with its
// values, and what was said of any statement holds for it: rights, limits,
// warnings.

// defaultSince is how far back a hunt looks unless it is told.
const defaultSince = "7 DAY"

// huntText is the statement of a hunt that is called.
func (e *Engine) huntText(ctx *sql.Context, c *sqlparser.CallProc, params Parameters) (string, error) {
	args, err := e.arguments(ctx, c, params)
	if err != nil {
		return "", err
	}
	if len(args)%2 == 0 {
		return "", userError("CALL hunt takes a name, then parameters and values in turn: CALL hunt('beaconing', 'since', '1 DAY')")
	}
	values := map[string]string{}
	for i := 1; i < len(args); i += 2 {
		name := strings.ToLower(args[i])
		if _, twice := values[name]; twice {
			return "", userError("parameter %s is given twice", name)
		}
		values[name] = args[i+1]
	}
	r, err := e.huntRange(ctx, values)
	if err != nil {
		return "", err
	}
	_, text, err := e.huntOver(args[0], r, values)
	return text, err
}

// huntOver finds a hunt, and is its statement over a time, with values.
func (e *Engine) huntOver(name string, r hunt.Range, values map[string]string) (*hunt.Hunt, string, error) {
	h, err := e.hunts.Find(name)
	// Where a file lies is told by hunt.hunts, to those who may read it.
	var mistake *hunt.Error
	var unknown hunt.Unknown
	switch {
	case errors.As(err, &mistake):
		return nil, "", userError("the file of hunt %s, line %d: %s", name, mistake.Line, mistake.Text)
	case errors.As(err, &unknown):
		return nil, "", userError("%v", err)
	case err != nil:
		return nil, "", userError("the file of hunt %s can't be read: see hunt.hunts", name)
	}
	text, err := h.Statement(r, values)
	if err != nil {
		return nil, "", userError("%v", err)
	}
	return h, text, nil
}

// HuntTime is the time that hunts with these values are run over, as from and to of
// theirs, for who runs many over the same.
func (s *Session) HuntTime(ctx context.Context, values map[string]string) (from, to string, err error) {
	c := sql.NewContext(ctx, sql.WithSession(s.session), sql.WithPid(uint64(s.session.ID())))
	defer s.engine.ended(s.session.ID())
	r, err := s.engine.huntRange(c, maps.Clone(values))
	bare := func(constant string) string { return strings.Trim(strings.TrimPrefix(constant, "TIMESTAMP"), "'") }
	return bare(r.From), bare(r.To), err
}

// huntRange takes the time hunted through out of the values: until the end of what
// was recorded unless they say when, so that a capture of years ago has its hunts
// too.
func (e *Engine) huntRange(ctx *sql.Context, values map[string]string) (r hunt.Range, err error) {
	take := func(name string) (string, bool) {
		v, ok := values[name]
		delete(values, name)
		return v, ok
	}
	since, isSince := take(hunt.Since)
	from, isFrom := take(hunt.From)
	to, isTo := take(hunt.To)
	if isSince && isFrom {
		return r, userError("a hunt begins at from, or as long before its end as since says: not both")
	}
	if isTo {
		r.To, err = e.timeGiven(ctx, hunt.To, to)
	} else {
		r.To, err = e.lastTime(ctx)
	}
	if err != nil {
		return r, err
	}
	connections := tables.Main + ".connections"
	switch {
	case isFrom:
		r.From, err = e.timeGiven(ctx, hunt.From, from)
	case strings.EqualFold(since, "all"):
		r.From, err = e.timeOf(ctx, "SELECT COALESCE(LEAST(MIN(ts), "+r.To+"), "+r.To+") FROM "+connections)
	case !isSince: // as much of it as there is
		r.From, err = e.timeOf(ctx, "SELECT COALESCE(GREATEST(MIN(ts), "+r.To+" - INTERVAL "+defaultSince+"), "+r.To+") FROM "+connections+" WHERE ts <= "+r.To)
	default:
		var length string
		if length, err = hunt.Duration(since); err != nil {
			return r, userError("since: %v, or all", err)
		}
		// As a constant, which EXPLAIN and warnings can name.
		r.From, err = e.timeOf(ctx, "SELECT "+r.To+" - "+length)
	}
	if err == nil && r.From == "" {
		err = userError("the time that is hunted through begins before there are times")
	}
	if err != nil {
		return r, err
	}
	_, wrong, err := e.valueOfQuery(ctx, "SELECT NULLIF("+r.From+" > "+r.To+", 0)", nil)
	if err == nil && wrong != nil {
		err = userError("the time hunted through ends at %s, before it begins at %s", r.To, r.From)
	}
	return r, err
}

// lastTime is the end of what was recorded: of the last connection, else of what
// sensors recorded, else now.
func (e *Engine) lastTime(ctx *sql.Context) (string, error) {
	for _, text := range []string{
		"SELECT MAX(LEAST(ts_end, NOW(6))) FROM " + tables.Main + ".connections WHERE ts <= NOW(6)",
		"SELECT MAX(LEAST(ts_end, NOW(6))) FROM " + tables.Ops + ".coverage WHERE ts <= NOW(6)",
	} {
		if at, err := e.timeOf(ctx, text); err != nil || at != "" {
			return at, err
		}
	}
	return e.timeOf(ctx, "SELECT NOW(6)")
}

// timeGiven is a time that somebody wrote, as a constant.
func (e *Engine) timeGiven(ctx *sql.Context, name, text string) (string, error) {
	if len(text) > maxTime {
		return "", userError("%s is no time", name)
	}
	value := "CAST(" + hunt.Quote(text) + " AS DATETIME(6))"
	if m := instant.FindStringSubmatch(text); m != nil { // the same wherever it is read
		offset := m[3] + ":" + m[4]
		if m[3] == "" {
			offset = "+00:00"
		}
		value = "TIMESTAMP'" + m[1] + cmp.Or(m[2], ":00") + offset + "'"
	}
	out, err := e.timeOf(ctx, "SELECT "+value)
	if err == nil && out == "" {
		err = userError("%s: '%s' is no time: write it as 2026-06-12 10:15:00, in the session's time zone", name, text)
	}
	return out, err
}

// instant is a time of ISO 8601 with the offset of its zone.
var instant = regexp.MustCompile(`^\s*(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d)(:\d\d(?:\.\d{1,6})?)?(?:[Zz]|([+-]\d\d):?(\d\d))\s*$`)

// maxTime bounds the text of a time, in bytes.
const maxTime = 64

// timeOf is the time that a query gives, as a constant; empty for NULL.
func (e *Engine) timeOf(ctx *sql.Context, text string) (string, error) {
	t, v, err := e.valueOfQuery(ctx, text, nil)
	if err != nil || v == nil {
		return "", err
	}
	cell, err := t.SQL(ctx, nil, v)
	if err != nil {
		return "", err
	}
	return "TIMESTAMP" + hunt.Quote(cell.ToString()), nil
}

// huntsFeed is a row for each hunt, and for each file that is none.
func huntsFeed(list []hunt.Entry) feed {
	return &listFeed{
		cols: columnsOf(tables.Hunts),
		rows: len(list),
		write: func(i int, to func(int) *vectorWriter, at int) {
			x := &list[i]
			texts := []string{x.ID()}
			if h := x.Hunt; h != nil {
				texts = append(texts, h.Title, h.Question, h.Severity, strings.Join(h.Techniques, ", "), h.ParameterText(),
					h.Result, h.Empty, h.FalsePositives, strings.Join(h.Reads, ", "), h.Packets, h.SQL, strings.Join(h.References, ", "), strings.Join(h.Key, ", "))
			}
			texts = append(texts, make([]string, len(tables.Hunts.Columns)-len(texts))...)
			texts[len(texts)-2] = x.File
			if x.Err != nil {
				texts[len(texts)-1] = x.Err.Error()
			}
			to(0).setText(at, texts[0])
			for col, text := range texts[1:] {
				to(1+col).setTextOrNull(at, text)
			}
		},
	}
}
