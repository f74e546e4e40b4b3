package pushdown

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/testdata/mariadb"
)

// A second dialect, MariaDB's, for the nodes that everyday statements have: it
// stands here alone, and what comes before the text knows nothing of it. What
// it writes is run by a real server, beside the statement as it was typed.

type mariaDialect struct{}

func (mariaDialect) Statement(top *Project, b Binding) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("no text: %v", p)
		}
	}()
	return mariaRel(top, b), nil
}

// Computes implements Dialect: MariaDB has MySQL's functions.
func (mariaDialect) Computes(f *Func) bool {
	_, ok := f.Node.(*sqlparser.FuncExpr)
	return ok
}

func (mariaDialect) Spells(*Call) bool { return false }

func mariaColumn(c Column) string { return "c" + strconv.Itoa(int(c.ID)) }

func mariaList(list []Expr, by string) string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = mariaExpr(e)
	}
	return strings.Join(out, by)
}

func mariaNamed(lists ...[]Named) string {
	var out []string
	for _, n := range slices.Concat(lists...) {
		out = append(out, mariaExpr(n.Expr)+" AS "+mariaColumn(n.Column))
	}
	return strings.Join(out, ", ")
}

func mariaRel(rel Rel, b Binding) string {
	in := func(rel Rel) string { return "(" + mariaRel(rel, b) + ") t" + fmt.Sprintf("%p", rel)[2:] }
	switch n := rel.(type) {
	case *Scan:
		var cols []string
		for i, c := range n.Out {
			if n.Needed[i] {
				cols = append(cols, "`"+n.Relation.Columns[i].Name+"` AS "+mariaColumn(c))
			}
		}
		for _, c := range n.Hidden {
			cols = append(cols, "`"+c.Name+"` AS "+mariaColumn(c))
		}
		cols = append(cols, fmt.Sprintf("1 AS one%d", n.ID))
		return "SELECT " + strings.Join(cols, ", ") + " FROM " + b.Scan(n.ID)
	case *Dual:
		return "SELECT 1"
	case *Filter:
		return "SELECT * FROM " + in(n.Child) + " WHERE " + mariaList(n.Conjuncts, " AND ")
	case *Project:
		// The order of a subquery is none.
		below, after := n.Child, ""
		if l, ok := below.(*Limit); ok {
			below, after = l.Child, fmt.Sprintf(" LIMIT %d OFFSET %d", l.Count, l.Offset)
		}
		if s, ok := below.(*Sort); ok {
			below, after = s.Child, " ORDER BY "+mariaOrder(s.Keys)+after
		}
		return "SELECT " + mariaNamed(n.Exprs) + " FROM " + in(below) + after
	case *Group:
		text := "SELECT " + mariaNamed(n.Keys, n.Aggs) + " FROM " + in(n.Child)
		for i, k := range n.Keys {
			text += []string{" GROUP BY ", ", "}[min(i, 1)] + mariaExpr(k.Expr)
		}
		return text
	case *Window:
		return "SELECT *, " + mariaNamed(n.Exprs) + " FROM " + in(n.Child)
	case *Join:
		on := "1"
		if len(n.On) > 0 {
			on = mariaList(n.On, " AND ")
		}
		switch n.Kind {
		case Semi, Anti:
			return "SELECT * FROM " + in(n.L) + " WHERE " + map[JoinKind]string{Anti: "NOT "}[n.Kind] + "EXISTS (SELECT 1 FROM " + in(n.R) + " WHERE " + on + ")"
		}
		return "SELECT * FROM " + in(n.L) + map[JoinKind]string{Left: " LEFT"}[n.Kind] + " JOIN " + in(n.R) + " ON " + on
	case *Sort:
		return "SELECT * FROM " + in(n.Child) + " ORDER BY " + mariaOrder(n.Keys)
	case *Limit:
		return mariaRel(n.Child, b) + fmt.Sprintf(" LIMIT %d OFFSET %d", n.Count, n.Offset)
	case *Distinct:
		return "SELECT DISTINCT * FROM " + in(n.Child)
	case *SetOp:
		word, cols := n.Op, make([]string, len(n.Out))
		if n.All {
			word += " ALL"
		}
		for i, c := range n.Out {
			cols[i] = mariaColumn(n.L.Columns()[i]) + " AS " + mariaColumn(c)
		}
		return "SELECT " + strings.Join(cols, ", ") + " FROM (" + mariaRel(n.L, b) + " " + word + " " + mariaRel(n.R, b) + ") u"
	}
	panic(fmt.Sprintf("%T", rel))
}

func mariaOrder(keys []SortKey) string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = mariaExpr(k.Expr) + map[bool]string{true: " DESC"}[k.Desc]
	}
	return strings.Join(out, ", ")
}

func mariaExpr(e Expr) string {
	switch e := e.(type) {
	case *Col:
		return mariaColumn(e.Column)
	case *Literal:
		switch v := e.Value.(type) {
		case nil:
			return "NULL"
		case string:
			if e.T.Kind == Decimal {
				return v
			}
			return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(v) + "'"
		case time.Time:
			return "TIMESTAMP'" + v.Format("2006-01-02 15:04:05.000000") + "'"
		}
		return fmt.Sprint(e.Value)
	case *Func:
		return e.Node.(*sqlparser.FuncExpr).Name.String() + "(" + mariaList(e.Args, ", ") + ")"
	case *Cast:
		if e.T.Kind == Decimal {
			return fmt.Sprintf("CAST(%s AS DECIMAL(65,%d))", mariaExpr(e.Arg), e.T.Scale)
		}
	case *Case:
		text := "CASE"
		for _, w := range e.Whens {
			text += " WHEN " + mariaExpr(w.If) + " THEN " + mariaExpr(w.Then)
		}
		if e.Else != nil {
			text += " ELSE " + mariaExpr(e.Else)
		}
		return text + " END"
	case *Aggregate:
		if len(e.Args) == 0 {
			return "COUNT(*)"
		}
		return e.Name + "(" + distinct(e) + mariaList(e.Args, ", ") + ")"
	case *Over:
		var over []string
		if len(e.Partition) > 0 {
			over = append(over, "PARTITION BY "+mariaList(e.Partition, ", "))
		}
		if len(e.Order) > 0 {
			over = append(over, "ORDER BY "+mariaOrder(e.Order))
		}
		if c, ok := e.Call.(*Call); ok {
			return c.Op + "(" + mariaList(c.Args, ", ") + ") OVER (" + strings.Join(over, " ") + ")"
		}
		return mariaExpr(e.Call) + " OVER (" + strings.Join(over, " ") + ")"
	case *Call:
		switch a := e.Args; e.Op {
		case "is null", "is true", "is false":
			return "(" + mariaExpr(a[0]) + " " + e.Op + ")"
		case "not":
			return "(NOT " + mariaExpr(a[0]) + ")"
		case "neg":
			return "(- " + mariaExpr(a[0]) + ")"
		case "in":
			return "(" + mariaExpr(a[0]) + " IN (" + mariaList(a[1:], ", ") + "))"
		case "like":
			return "(" + mariaExpr(a[0]) + " LIKE " + mariaExpr(a[1]) + " ESCAPE " + mariaExpr(a[2]) + ")"
		case "=", "<>", "<", "<=", ">", ">=", "<=>", "and", "or", "xor", "+", "-", "*", "/", "div", "%":
			return "(" + mariaList(a, " "+e.Op+" ") + ")"
		case "coalesce", "lower", "upper", "concat", "nullif":
			return e.Op + "(" + mariaList(a, ", ") + ")"
		}
		panic("call of " + e.Op)
	}
	panic(fmt.Sprintf("%T", e))
}

// ofTable binds every scan to MariaDB's own table of it.
type ofTable struct {
	symbolic
	scans []*ScanPlan
}

func (b ofTable) Scan(id int) string {
	for _, s := range b.scans {
		if s.ID == id {
			return s.Relation.Schema + "." + s.Relation.Name
		}
	}
	return fmt.Sprintf("no_scan_%d", id)
}

var dialectStatements = []string{
	"SELECT server_port, COUNT(*) n, SUM(client_bytes) FROM connections GROUP BY server_port ORDER BY n DESC, server_port LIMIT 3",
	"SELECT conn_state, AVG(client_bytes), MIN(ts), MAX(client_packets) FROM connections GROUP BY conn_state ORDER BY conn_state",
	"SELECT server_port + 1, client_bytes * 2 - 7, client_bytes / client_packets, client_bytes DIV 3, client_bytes % 7 FROM connections ORDER BY ts",
	"SELECT server_name FROM connections WHERE server_name LIKE 'a%\\_%' OR server_name IS NULL ORDER BY server_name, ts",
	"SELECT COUNT(*), COUNT(server_name), COUNT(DISTINCT server_port) FROM connections WHERE ts >= '2026-06-12 10:00:02' AND server_port IN (53, 443)",
	"SELECT CASE WHEN client_bytes < 100 THEN 'small' WHEN client_bytes < 10000 THEN 'medium' ELSE 'large' END size, COUNT(*) FROM connections GROUP BY size ORDER BY size",
	"SELECT a.server_port, b.client_bytes FROM connections a JOIN connections b ON a.server_port = b.server_port AND a.ts < b.ts ORDER BY a.ts, b.ts",
	"SELECT a.server_port, b.client_bytes FROM connections a LEFT JOIN connections b ON a.server_port = b.server_port AND a.ts < b.ts ORDER BY a.ts, b.ts",
	"SELECT ts FROM connections WHERE server_port IN (SELECT server_port FROM connections WHERE client_bytes > 1000) ORDER BY ts",
	"SELECT ts FROM connections c WHERE NOT EXISTS (SELECT 1 FROM connections d WHERE d.server_port = c.server_port AND d.ts > c.ts) ORDER BY ts",
	"SELECT server_port FROM connections WHERE client_bytes > 1000 UNION SELECT server_port FROM connections WHERE client_packets < 3 ORDER BY server_port",
	"SELECT server_port, client_bytes, ROW_NUMBER() OVER (PARTITION BY server_port ORDER BY client_bytes DESC) k FROM connections ORDER BY server_port, k",
	"SELECT server_port, SUM(client_bytes) s, RANK() OVER (ORDER BY SUM(client_bytes) DESC) r FROM connections GROUP BY server_port HAVING s > 10 ORDER BY r",
	"SELECT DISTINCT server_port, conn_state FROM connections ORDER BY 1, 2",
	"SELECT x.p, x.n FROM (SELECT server_port p, COUNT(*) n FROM connections GROUP BY server_port) x WHERE x.n > 1 ORDER BY x.p",
	"WITH big AS (SELECT * FROM connections WHERE client_bytes > 500) SELECT server_port, COUNT(*) FROM big GROUP BY server_port ORDER BY server_port",
	"SELECT LEFT(server_name, 3), REVERSE(server_name), LPAD(server_port, 6, '0') FROM connections ORDER BY ts",
	"SELECT NOT server_port > 100, -client_bytes, server_port > 100 XOR client_bytes > 100 FROM connections ORDER BY ts",
}

func TestSecondDialect(t *testing.T) {
	db := mariadb.Start(t)
	db.SetMaxOpenConns(1) // USE holds
	for _, s := range []string{
		"CREATE DATABASE wiresql", "USE wiresql",
		"CREATE TABLE connections (ts DATETIME(6), server_port INT, conn_state VARCHAR(8), server_name VARCHAR(255), client_bytes BIGINT, client_packets BIGINT)",
		`INSERT INTO connections VALUES ('2026-06-12 10:00:00', 443, 'SF', 'a_b.example', 5200, 11), ('2026-06-12 10:00:01.5', 443, 'S0', 'ab.example', 60, 1),
		('2026-06-12 10:00:02', 53, 'SF', NULL, 71, 1), ('2026-06-12 10:00:03', 53, 'SF', 'axb_c', 99, 2), ('2026-06-12 10:00:04.25', 22, 'RSTO', 'Älter', 123456, 321),
		('2026-06-12 10:00:05', 8080, 'SF', '', 640, 4)`,
	} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, query := range dialectStatements {
		plan, err := compileText(t, query, Env{Dialect: mariaDialect{}})
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		written, err := plan.Text(ofTable{scans: plan.Scans})
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		got, err := rowsOf(db, written)
		want, typed := rowsOf(db, query)
		if err := errors.Join(err, typed); err != nil {
			t.Errorf("%s: %v\n%s", query, err, written)
			continue
		}
		if !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s\n%s\n is: %q\nwant: %q", query, written, got, want)
		}
	}
}

func rowsOf(db *sql.DB, query string) ([]string, error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out []string
	for rows.Next() {
		cells, into := make([]sql.NullString, len(cols)), make([]any, len(cols))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprint(cells))
	}
	return out, rows.Err()
}
