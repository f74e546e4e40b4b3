package engine

import (
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
	h, err := e.hunts.Find(args[0])
	if err != nil {
		return "", userError("%v", err)
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
	text, err := h.Statement(r, values)
	if err != nil {
		return "", userError("%v", err)
	}
	return text, nil
}

// huntRange takes the time hunted through out of the values: until the last
// connection there is unless they say when, so that a capture of years ago has
// its hunts too.
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
	if r.To = "TIMESTAMP" + hunt.Quote(to); !isTo {
		r.To, err = e.timeOf(ctx, "SELECT COALESCE(MAX(ts), NOW()) FROM "+tables.Main+".connections WHERE ts <= NOW()")
		if err != nil {
			return r, err
		}
	}
	switch {
	case isFrom:
		r.From = "TIMESTAMP" + hunt.Quote(from)
		return r, nil
	case strings.EqualFold(since, "all"):
		r.From, err = e.timeOf(ctx, "SELECT COALESCE(MIN(ts), NOW()) FROM "+tables.Main+".connections")
		return r, err
	case !isSince: // as much of it as there is
		r.From, err = e.timeOf(ctx, "SELECT COALESCE(GREATEST(MIN(ts), "+r.To+" - INTERVAL "+defaultSince+"), "+r.To+") FROM "+tables.Main+".connections WHERE ts <= "+r.To)
		return r, err
	}
	length, err := hunt.Duration(since)
	if err != nil {
		return r, userError("since: %v, or all", err)
	}
	// As a constant, which EXPLAIN and warnings can name.
	r.From, err = e.timeOf(ctx, "SELECT "+r.To+" - "+length)
	return r, err
}

// timeOf is the time that a query gives, as a constant.
func (e *Engine) timeOf(ctx *sql.Context, text string) (string, error) {
	t, v, err := e.valueOfQuery(ctx, text, nil)
	if err != nil {
		return "", err
	}
	if v == nil {
		return "", userError("the time that is hunted through begins before there are times")
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
					h.Result, h.Empty, h.FalsePositives, strings.Join(h.Reads, ", "), h.Packets, h.SQL, strings.Join(h.References, ", "))
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
