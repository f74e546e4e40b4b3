package pushdown

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"vitess.io/vitess/go/sqltypes"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// A plan as people read it: its tree with the names they wrote, what in it is
// slow by its nature, and which query block each table belongs to.

// outline prints a relation, a node per line, with columns by their names.
func outline(rel Rel) string {
	o := outliner{names: map[ColumnID]string{}, tables: map[string]int{}, scans: len(scansOf(rel))}
	o.print(rel, 0)
	return o.text.String()
}

type outliner struct {
	text   strings.Builder
	names  map[ColumnID]string // of columns that have one
	tables map[string]int      // scans of each name so far
	scans  int
}

func (o *outliner) print(rel Rel, depth int) {
	// Names come from below.
	inner := outliner{names: o.names, tables: o.tables, scans: o.scans}
	below := children(rel)
	if s, ok := rel.(*SetOp); ok {
		below = o.arms(s)
	}
	for _, ch := range below {
		inner.print(ch, depth+1)
	}
	line := o.line(rel)
	for _, e := range exprsOf(rel) {
		walk(e, func(e Expr) {
			if s, ok := e.(*Subquery); ok {
				inner.text.WriteString(strings.Repeat("  ", depth+1) + "subquery\n")
				inner.print(s.Rel, depth+2)
			}
		})
	}
	o.text.WriteString(strings.Repeat("  ", depth) + line + "\n" + inner.text.String())
}

// arms are those of a UNION ALL of many side by side, without what only passes
// their columns on.
func (o *outliner) arms(s *SetOp) []Rel {
	if s.Op != "UNION" || !s.All {
		return children(s)
	}
	var out []Rel
	for _, arm := range children(s) {
		for {
			p, ok := arm.(*Project)
			if !ok || slices.ContainsFunc(p.Exprs, func(n Named) bool { _, is := n.Expr.(*Col); return !is }) {
				break
			}
			if _, ok := p.Child.(*SetOp); !ok {
				if _, ok := p.Child.(*Project); !ok {
					break
				}
			}
			arm = p.Child
		}
		if inner, ok := arm.(*SetOp); ok {
			out = append(out, o.arms(inner)...)
		} else {
			out = append(out, arm)
		}
	}
	return out
}

// line is a node's own line.
func (o *outliner) line(rel Rel) string {
	switch n := rel.(type) {
	case *Scan:
		name := n.Relation.Name
		if o.tables[name]++; o.tables[name] > 1 {
			name += "_" + strconv.Itoa(o.tables[name])
		}
		var cols []string
		for i, c := range n.Out {
			o.name(c, name)
			if n.Needed[i] {
				cols = append(cols, c.Name)
			}
		}
		for _, c := range n.Hidden {
			o.name(c, name)
			cols = append(cols, c.Name)
		}
		line := "table " + n.Relation.Name
		if n.Relation.Schema != tables.Main {
			line = "table " + n.Relation.Schema + "." + n.Relation.Name
		}
		if name != n.Relation.Name {
			line += " as " + name
		}
		return line + ": " + strings.Join(cols, ", ")
	case *Dual:
		return "one row"
	case *Filter:
		return "keep rows where " + o.list(n.Conjuncts, " AND ")
	case *Project:
		return "columns " + o.named(n.Exprs)
	case *Group:
		line := "one row"
		if len(n.Keys) > 0 {
			line = "group by " + o.named(n.Keys)
		}
		if n.Rollup {
			line += " with rollup"
		}
		if len(n.Aggs) > 0 {
			line += ": " + o.named(n.Aggs)
		}
		return line
	case *Window:
		return "window " + o.named(n.Exprs)
	case *Join:
		kind := [...]string{"join", "left join", "cross join", "semi join: rows with a partner", "anti join: rows without a partner"}[n.Kind]
		if len(n.On) == 0 {
			return kind
		}
		return kind + " on " + o.list(n.On, " AND ")
	case *Sort:
		var keys []string
		for _, k := range n.Keys {
			key := o.say(k.Expr)
			if k.Desc {
				key += " descending"
			}
			keys = append(keys, key)
		}
		return "sort by " + strings.Join(keys, ", ")
	case *Limit:
		line := "the first " + strconv.FormatInt(n.Count, 10) + " rows"
		switch {
		case n.Count < 0:
			line = "all rows"
		case n.Count == 1:
			line = "the first row"
		}
		if n.Offset > 0 {
			line += fmt.Sprintf(" after %d", n.Offset)
		}
		return line
	case *Recursive:
		for _, c := range n.Out {
			o.name(c, n.Name)
		}
		return "recursive " + n.Name
	case *Ref:
		for _, c := range n.Out {
			o.name(c, n.Name)
		}
		return "rows of the round before of " + n.Name
	case *Distinct:
		return "distinct rows"
	case *SetOp:
		for _, c := range n.Out {
			o.name(c, "")
		}
		line := strings.ToLower(n.Op)
		if n.All {
			line += " all"
		}
		return line
	}
	return fmt.Sprintf("%T", rel)
}

// name remembers what a column is called.
func (o *outliner) name(c Column, table string) {
	name := c.Name
	if table != "" && o.scans > 1 {
		name = table + "." + name
	}
	o.names[c.ID] = name
}

func (o *outliner) column(id ColumnID) string {
	if name := o.names[id]; name != "" {
		return name
	}
	return "#" + strconv.Itoa(int(id))
}

// named lists computed columns, and names them.
func (o *outliner) named(list []Named) string {
	var out []string
	for _, n := range list {
		said := o.say(n.Expr)
		if _, plain := n.Expr.(*Col); plain || n.Name == "" || len(n.Name) > 30 || n.Name == said {
			if o.names[n.ID] = said; len(said) > 60 {
				o.names[n.ID] = ""
				said += " as " + o.column(n.ID)
			}
		} else {
			o.names[n.ID] = n.Name
			said += " as " + n.Name
		}
		out = append(out, said)
	}
	if n := len(out); n > maxNames {
		out = append(out[:maxNames], fmt.Sprintf("… %d more", n-maxNames))
	}
	return strings.Join(out, ", ")
}

// maxNames bounds the computed columns that are shown.
const maxNames = 12

func (o *outliner) list(list []Expr, sep string) string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = o.say(e)
	}
	return strings.Join(out, sep)
}

// maxSaid bounds the values of a list that are shown.
const maxSaid = 5

var infixed = map[string]bool{"=": true, "<>": true, "<": true, "<=": true, ">": true, ">=": true, "<=>": true, "and": true, "or": true, "xor": true,
	"+": true, "-": true, "*": true, "/": true, "div": true, "%": true, "&": true, "|": true, "^": true, "<<": true, ">>": true, "like": true}

// say writes an expression as people would.
func (o *outliner) say(e Expr) string {
	switch e := e.(type) {
	case nil:
		return "NULL"
	case *Col:
		return o.column(e.ID)
	case *Literal:
		if _, ok := e.Value.(keyList); ok {
			return "{{keys}}"
		}
		if b, ok := e.Value.(bool); ok {
			return strconv.FormatBool(b)
		}
		v := e.SQLValue()
		if v.IsNull() || sqltypes.IsNumber(v.Type()) {
			if v.IsNull() {
				return "NULL"
			}
			return v.ToString()
		}
		if at, ok := e.Value.(time.Time); ok && e.T.Kind == Time {
			return functions.Quote(at.Format("2006-01-02 15:04:05.999999"))
		}
		if e.T.Kind == Bytes {
			return fmt.Sprintf("%d bytes", len(v.Raw()))
		}
		return functions.Quote(v.ToString())
	case *Case:
		out := "CASE"
		for _, w := range e.Whens {
			out += " WHEN " + o.say(w.If) + " THEN " + o.say(w.Then)
		}
		if e.Else != nil {
			out += " ELSE " + o.say(e.Else)
		}
		return out + " END"
	case *Cast:
		return o.say(e.Arg)
	case *Aggregate:
		if e.Name == "counted" {
			return "COUNT(*)"
		}
		args := o.list(e.Args, ", ")
		if args == "" {
			args = "*"
		}
		if e.Distinct {
			args = "DISTINCT " + args
		}
		return strings.ToUpper(e.Name) + "(" + args + ")"
	case *Over:
		out := o.say(e.Call) + " over ("
		if len(e.Partition) > 0 {
			out += "by " + o.list(e.Partition, ", ")
		}
		for i, k := range e.Order {
			if i == 0 {
				out += " order by "
			} else {
				out += ", "
			}
			out += o.say(k.Expr)
		}
		return strings.Replace(out, "( ", "(", 1) + ")"
	case *Func:
		return e.name() + "(" + o.list(e.Args, ", ") + ")"
	case *Subquery:
		not := ""
		if e.Not {
			not = "NOT "
		}
		switch e.Op {
		case "exists":
			return not + "EXISTS (subquery)"
		case "in":
			return o.list(e.Args, ", ") + " " + not + "IN (subquery)"
		case "scalar":
			return "(subquery)"
		}
		return o.list(e.Args, ", ") + " " + e.Compare + " " + strings.ToUpper(e.Op) + " (subquery)"
	case *Call:
		return o.call(e)
	}
	return fmt.Sprintf("%T", e)
}

func (o *outliner) call(e *Call) string {
	n := len(e.Args)
	switch {
	case (e.Op == "and" || e.Op == "or") && n > 0:
		return "(" + o.list(e.Args, " "+strings.ToUpper(e.Op)+" ") + ")"
	case e.Op == "like" && n >= 2:
		return o.say(e.Args[0]) + " LIKE " + o.say(e.Args[1])
	case infixed[e.Op] && n == 2:
		return o.operand(e.Args[0]) + " " + strings.ToUpper(e.Op) + " " + o.operand(e.Args[1])
	case e.Op == "not" && n == 1:
		return "NOT " + o.operand(e.Args[0])
	case strings.HasPrefix(e.Op, "is ") && n == 1:
		return o.operand(e.Args[0]) + " " + strings.ToUpper(e.Op)
	case e.Op == "in" && n > 1:
		list := o.list(e.Args[1:min(n, maxSaid+1)], ", ")
		if more := n - 1 - maxSaid; more > 0 {
			list += fmt.Sprintf(", … %d more", more)
		}
		return o.say(e.Args[0]) + " IN (" + list + ")"
	case e.Op == "between" && n == 3:
		return o.say(e.Args[0]) + " BETWEEN " + o.say(e.Args[1]) + " AND " + o.say(e.Args[2])
	case e.Op == "neg" && n == 1:
		return "-" + o.operand(e.Args[0])
	}
	return strings.ToUpper(e.Op) + "(" + o.list(e.Args, ", ") + ")"
}

// operand puts what has an operator of its own in parentheses.
func (o *outliner) operand(e Expr) string {
	said := o.say(e)
	if c, ok := e.(*Call); ok && (infixed[c.Op] || c.Op == "not" || c.Op == "in" || c.Op == "between") && !strings.HasPrefix(said, "(") {
		return "(" + said + ")"
	}
	return said
}

// name is what a function is called, in upper case.
func (f *Func) name() string {
	name, _, _ := strings.Cut(f.Shape, "(")
	if name = strings.ToUpper(strings.TrimSpace(name)); name == "" || strings.Contains(name, "?") {
		return "EXPRESSION"
	}
	return name
}

// ends tells whether a plan may be over before all of its tables are read.
func ends(rel Rel) bool {
	switch n := rel.(type) {
	case *Limit:
		return n.Count >= 0 && !whole(n.Child)
	case *Project:
		return ends(n.Child)
	}
	return false
}

// whole tells whether a relation needs all rows before its first.
func whole(rel Rel) bool {
	switch rel.(type) {
	case *Sort, *Group, *Window, *Distinct, *SetOp:
		return true
	}
	return slices.ContainsFunc(children(rel), whole)
}

// Cost is a part of a plan that takes much longer than reading its rows does.
type Cost struct {
	// Calls are the functions that are called back for each row, each once.
	Calls []string
	// Left and Right are scans whose rows are all compared with each other,
	// without Calls; Crossed: joined without being compared.
	Left, Right int
	Crossed     bool
}

// costs finds them.
func costs(top Rel) []Cost {
	var out []Cost
	var calls []string
	var visit func(Rel)
	visit = func(rel Rel) {
		if j, ok := rel.(*Join); ok && j.Kind != Semi && j.Kind != Anti && !j.Lateral && !slices.ContainsFunc(j.On, isEquality) {
			l, r := onlyScan(j.L), onlyScan(j.R)
			if l >= 0 && r >= 0 {
				out = append(out, Cost{Left: l, Right: r, Crossed: len(j.On) == 0})
			}
		}
		for _, e := range exprsOf(rel) {
			walk(e, func(e Expr) {
				switch e := e.(type) {
				case *Func:
					if !e.Native && !slices.Contains(calls, e.name()) {
						calls = append(calls, e.name())
					}
				case *Subquery:
					visit(e.Rel)
				}
			})
		}
		for _, ch := range children(rel) {
			visit(ch)
		}
	}
	visit(top)
	if calls != nil {
		out = append(out, Cost{Calls: calls})
	}
	return out
}

// onlyScan is the scan that a relation keeps rows of, -1 when it is more.
func onlyScan(rel Rel) int {
	switch n := rel.(type) {
	case *Scan:
		return n.ID
	case *Filter:
		return onlyScan(n.Child)
	case *Project:
		return onlyScan(n.Child)
	}
	return -1
}

// Block is the place of a scan among the query blocks, as MySQL's EXPLAIN
// numbers them.
type Block struct {
	Scan, ID int
	// Select is SIMPLE, PRIMARY, UNION, SUBQUERY or DERIVED.
	Select string
	// Filtered, Sorted and Grouped tell what becomes of the rows.
	Filtered, Sorted, Grouped bool
}

// blocksOf finds the places of all scans.
func blocksOf(top Rel) []Block {
	var out []Block
	last := 1
	var visit func(rel Rel, at Block)
	visit = func(rel Rel, at Block) {
		for _, e := range exprsOf(rel) {
			walk(e, func(e Expr) {
				if s, ok := e.(*Subquery); ok {
					last++
					visit(s.Rel, Block{ID: last, Select: "SUBQUERY"})
				}
			})
		}
		switch n := rel.(type) {
		case *Scan:
			at.Scan = n.ID
			out = append(out, at)
		case *Filter:
			at.Filtered = true
		case *Sort:
			at.Sorted = true
		case *Group:
			at.Grouped = true
		case *SetOp:
			visit(n.L, at)
			last++
			visit(n.R, Block{ID: last, Select: "UNION"})
			return
		case *Recursive:
			last++
			base := last
			visit(n.Base, Block{ID: base, Select: "DERIVED"})
			last++
			visit(n.Step, Block{ID: last, Select: "UNION"})
			return
		}
		for _, ch := range children(rel) {
			visit(ch, at)
		}
	}
	visit(top, Block{ID: 1, Select: "PRIMARY"})
	if last == 1 {
		for i := range out {
			out[i].Select = "SIMPLE"
		}
	}
	return out
}
