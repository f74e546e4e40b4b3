package pushdown

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
)

// Relations as DuckDB text. Each node adds to the SELECT below it while that
// keeps the meaning, else it selects from it: DuckDB flattens what is nested,
// and the text stays short enough to read in EXPLAIN.

// renderer writes text. The first thing that has no text is kept in err.
type renderer struct {
	bind    Binding
	err     error
	aliases int
	top     *Project // its entries are results
	over    string   // window of the aggregates being written
	depth   int      // of the expression being written
	known   map[rendered][]string
	kept    int // bytes of known
}

// maxDepth bounds how deep expressions are in each other; statements have at
// most 1,000 operators in a row, and each is a few calls.
const maxDepth = 20000

// maxText bounds the text of one expression; the same operand may stand in it
// more than once.
const maxText = 1 << 20

func (r *renderer) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// selection is a SELECT in the making.
type selection struct {
	with     string   // a recursive expression in front
	cols     []string // nil: *
	distinct bool
	from     []source
	where    []string
	group    []string
	grouped  bool
	order    []string
	limit    []string
	set      *setOp // whole statements, instead of all but order and limit
}

// source is an entry of a FROM clause with the word that joins it to those
// before it.
type source struct {
	word  string
	text  string     // a table, or
	sel   *selection // a statement, or
	group []source   // a join in parentheses
	alias string
	on    []string
}

type setOp struct {
	word        string
	left, right *selection
}

// text writes the statement.
func (s *selection) text(depth int) string {
	nl := "\n" + strings.Repeat("  ", depth)
	var b strings.Builder
	if s.with != "" {
		b.WriteString(s.with + nl)
	}
	if s.set != nil {
		b.WriteString(s.set.left.text(depth) + nl + s.set.word + nl + s.set.right.text(depth))
	} else {
		b.WriteString("SELECT ")
		if s.distinct {
			b.WriteString("DISTINCT ")
		}
		if s.cols == nil {
			b.WriteString("*")
		}
		b.WriteString(strings.Join(s.cols, ", "))
		if len(s.from) > 0 {
			b.WriteString(nl + "FROM " + sources(s.from, depth))
		}
		if len(s.where) > 0 {
			b.WriteString(nl + "WHERE " + strings.Join(s.where, nl+"  AND "))
		}
		if len(s.group) > 0 {
			b.WriteString(nl + "GROUP BY " + strings.Join(s.group, ", "))
		}
	}
	if len(s.order) > 0 {
		b.WriteString(nl + "ORDER BY " + strings.Join(s.order, ", "))
	}
	for _, l := range s.limit {
		b.WriteString(nl + l)
	}
	return b.String()
}

func sources(list []source, depth int) string {
	nl := "\n" + strings.Repeat("  ", depth)
	var b strings.Builder
	for _, s := range list {
		if s.word != "" {
			b.WriteString(nl + s.word + " ")
		}
		switch {
		case s.sel != nil:
			b.WriteString("(" + s.sel.text(depth+1) + ") AS " + s.alias)
		case s.group != nil:
			b.WriteString("(" + sources(s.group, depth+1) + ")")
		default:
			b.WriteString(s.text)
		}
		if s.on != nil {
			b.WriteString(nl + "  ON " + strings.Join(s.on, " AND "))
		}
	}
	return b.String()
}

// wrap selects from what there is so far.
func (s *selection) wrap(r *renderer) *selection {
	r.aliases++
	return &selection{from: []source{{sel: s, alias: "t" + strconv.Itoa(r.aliases)}}}
}

// open tells whether WHERE can still be added.
func (s *selection) open() bool {
	return s.with == "" && s.set == nil && s.cols == nil && !s.grouped && !s.distinct && len(s.order) == 0 && s.limit == nil
}

// sources makes entries of a FROM clause of it.
func (s *selection) sources(r *renderer) []source {
	if s.open() && len(s.where) == 0 {
		return s.from
	}
	return s.wrap(r).from
}

// named writes the select list entries of a computed column.
func (r *renderer) named(n Named) []string {
	names := columnLanes(n.Column)
	texts := r.lanes(n.Expr, n.Kind)
	if n.Digits == 0 {
		texts[0] = r.shown(n.Expr, texts[0])
	}
	if _, is := n.Expr.(*Col); !is && n.Kind == Integer {
		texts[0] = widened(n.Expr, texts[0]) // a column is as wide as its type says
	}
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = name
		if texts[i] != name {
			out[i] = texts[i] + " AS " + name
		}
	}
	return out
}

func (r *renderer) rel(n Rel) *selection {
	switch n := n.(type) {
	case *Dual:
		return &selection{from: []source{{text: "(SELECT 1 AS one) AS dual"}}}
	case *Scan:
		return r.scan(n).wrap(r)
	case *Filter:
		s := r.rel(n.Child)
		if !s.open() {
			s = s.wrap(r)
		}
		for _, c := range n.Conjuncts {
			s.where = append(s.where, r.boolean(c))
		}
		return s
	case *Project:
		s := r.rel(n.Child)
		if s.cols != nil || s.set != nil || s.distinct {
			// A select list changes no rows: order and limit stay outside.
			if !s.distinct && s.set == nil {
				r.keepOrder(s)
			}
			order, limit := s.order, s.limit
			s.order, s.limit = nil, nil
			s = s.wrap(r)
			s.order, s.limit = order, limit
		}
		s.cols = r.list(n)
		return s
	case *Group:
		s := r.rel(n.Child)
		if !s.open() {
			s = s.wrap(r)
		}
		s.grouped = true
		s.cols = []string{}
		for _, k := range n.Keys {
			names, texts := columnLanes(k.Column), r.groupKey(k.Expr)
			by := texts[:len(names)]
			if key, text, ok := r.formatKey(k.Expr); ok && !n.Rollup {
				by, texts = []string{key}, []string{text}
			}
			if k.Kind == Community {
				// The text follows from the id.
				by = texts[:1]
				texts[1] = "any_value(" + texts[1] + ")"
				if n.Rollup {
					r.fail("community_id WITH ROLLUP")
				}
			}
			if n.Rollup && len(by) > 1 {
				s.group = append(s.group, "("+strings.Join(by, ", ")+")")
			} else {
				s.group = append(s.group, by...)
			}
			for i, name := range names {
				if texts[i] != name {
					name = texts[i] + " AS " + name
				}
				s.cols = append(s.cols, name)
			}
		}
		if n.Rollup {
			s.group = []string{"ROLLUP(" + strings.Join(s.group, ", ") + ")"}
		}
		for _, a := range n.Aggs {
			s.cols = append(s.cols, r.named(a)...)
		}
		if len(s.cols) == 0 {
			s.cols = []string{"count(*) AS one"} // an aggregate makes it one group
		}
		return s
	case *Window:
		s := r.rel(n.Child)
		if !s.open() {
			s = s.wrap(r)
		}
		s.cols = []string{"*"}
		for _, x := range n.Exprs {
			s.cols = append(s.cols, r.named(x)...)
		}
		return s
	case *Sort:
		s := r.rel(n.Child)
		if len(s.order) > 0 || s.limit != nil || s.distinct || s.set != nil || s.cols != nil {
			s = s.wrap(r)
		}
		for _, k := range n.Keys {
			s.order = append(s.order, r.orderBy(k)...)
		}
		return s
	case *Limit:
		s := r.rel(n.Child)
		if s.limit != nil {
			s = s.wrap(r)
		}
		s.limit = []string{}
		if n.Count >= 0 {
			s.limit = append(s.limit, "LIMIT "+strconv.FormatInt(n.Count, 10))
		}
		if n.Offset > 0 {
			s.limit = append(s.limit, "OFFSET "+strconv.FormatInt(n.Offset, 10))
		}
		return s
	case *Distinct:
		s := r.rel(n.Child)
		if s.set != nil || s.grouped || s.distinct || len(s.order) > 0 || s.limit != nil {
			s = s.wrap(r)
		}
		s.distinct = true
		return s
	case *Join:
		return r.join(n)
	case *Recursive:
		word := "UNION"
		if n.All {
			word = "UNION ALL"
		}
		s := &selection{from: []source{{text: n.Name}}}
		s.with = "WITH RECURSIVE " + n.Name + "(" + strings.Join(columnNamesOf(n.Out), ", ") + ") AS (\n  " +
			indent(r.part(n.Base).text(0)) + "\n  " + word + "\n  " + indent(r.part(n.Step).text(0)) + "\n)"
		return s.wrap(r)
	case *Ref:
		s := &selection{from: []source{{text: n.Name}}, cols: columnNamesOf(n.Stored)}
		for i, name := range columnNamesOf(n.Out) {
			s.cols[i] += " AS " + name
		}
		return s.wrap(r)
	case *SetOp:
		word := n.Op
		if n.All {
			word += " ALL"
		}
		return (&selection{set: &setOp{word, r.side(n.L, n.Out), r.side(n.R, n.Out)}}).wrap(r)
	}
	r.fail("%T is not rendered", n)
	return &selection{from: []source{{text: "(SELECT 1) AS none"}}}
}

// keepOrder lets the order of a selection be named from outside: what it sorts
// by and does not put out gets a name in its list.
func (r *renderer) keepOrder(s *selection) {
	for i, key := range s.order {
		text, direction := key, ""
		for _, d := range []string{" DESC NULLS LAST", " NULLS FIRST"} {
			if t, ok := strings.CutSuffix(key, d); ok {
				text, direction = t, d
				break
			}
		}
		if slices.ContainsFunc(s.cols, func(col string) bool {
			return col == text || col == "*" || strings.HasSuffix(col, " AS "+text)
		}) {
			continue
		}
		r.aliases++
		name := "o" + strconv.Itoa(r.aliases)
		s.cols = append(s.cols, text+" AS "+name)
		s.order[i] = name + direction
	}
}

// side writes one side of a set operation under the names of its result.
func (r *renderer) side(n Rel, out []Column) *selection {
	if p, ok := n.(*Project); ok {
		named := make([]Named, len(p.Exprs))
		for i, x := range p.Exprs {
			named[i] = Named{out[i], x.Expr}
		}
		if s := r.rel(&Project{p.Child, named}); len(s.order) == 0 && s.limit == nil {
			return s
		}
	}
	s := r.rel(n).wrap(r)
	var names []string
	for _, c := range out {
		names = append(names, columnLanes(c)...)
	}
	s.cols = columnNamesOf(n.Columns())
	for i, name := range names {
		s.cols[i] += " AS " + name
	}
	return s
}

// part writes one part of a recursive expression, whose order and limit are its own.
func (r *renderer) part(n Rel) *selection {
	s := r.rel(n)
	if len(s.order) > 0 || s.limit != nil {
		s = s.wrap(r)
		s.cols = columnNamesOf(n.Columns())
	}
	return s
}

func columnNamesOf(cols []Column) []string {
	out := []string{}
	for _, c := range cols {
		out = append(out, columnLanes(c)...)
	}
	return out
}

// scan selects the needed columns of a relation under the plan's names.
func (r *renderer) scan(n *Scan) *selection {
	s := &selection{cols: []string{}}
	for i, c := range n.Out {
		if !n.Needed[i] {
			continue
		}
		name := n.Relation.Columns[i].Name
		stored := []string{quoteIdent(name)}
		switch c.Kind {
		case Address:
			stored = []string{quoteIdent(name + "_hi"), quoteIdent(name + "_lo")}
		case Community:
			stored = []string{"cid", quoteIdent(name)}
		}
		for j, lane := range columnLanes(c) {
			s.cols = append(s.cols, stored[j]+" AS "+lane)
		}
	}
	for _, c := range n.Hidden {
		s.cols = append(s.cols, quoteIdent(c.Name)+" AS "+columnLanes(c)[0])
	}
	if len(s.cols) == 0 {
		s.cols = []string{"1 AS one"}
	}
	from := r.bind.Scan(n.ID)
	if IsPackets(n.Relation) {
		from = r.bind.Packets(n.ID)
	}
	s.from = []source{{text: from}}
	return s
}

func (r *renderer) list(p *Project) []string {
	out := []string{}
	for _, n := range p.Exprs {
		if p == r.top {
			out = append(out, r.result(n)...)
		} else {
			out = append(out, r.named(n)...)
		}
	}
	if len(out) == 0 {
		out = []string{"1 AS one"}
	}
	return out
}

// ordering are those of a value's columns that it is ordered by.
func ordering(k Kind, lanes []string) []string {
	switch k {
	case Address:
		return lanes
	case Community:
		return lanes[1:]
	}
	return lanes[:1]
}

func (r *renderer) orderBy(k SortKey) []string {
	lanes := ordering(k.Expr.Kind(), r.lanes(k.Expr, k.Expr.Kind()))
	dir := " NULLS FIRST"
	if k.Desc {
		dir = " DESC NULLS LAST"
	}
	for i := range lanes {
		lanes[i] += dir
	}
	return lanes
}

func (r *renderer) join(n *Join) *selection {
	from := r.rel(n.L).sources(r)
	right := r.rel(n.R).sources(r)
	word := map[JoinKind]string{Inner: "JOIN", Left: "LEFT JOIN", Cross: "CROSS JOIN", Semi: "SEMI JOIN", Anti: "ANTI JOIN"}[n.Kind]
	if n.Kind == Inner && len(n.On) == 0 {
		word = "CROSS JOIN"
	}
	s := right[0]
	if len(right) > 1 {
		s = source{group: right}
	}
	if s.word = word; n.Lateral {
		s.word += " LATERAL"
	}
	if word != "CROSS JOIN" {
		s.on = []string{}
		for _, c := range n.On {
			s.on = append(s.on, r.boolean(c))
		}
		if len(s.on) == 0 {
			s.on = []string{"true"}
		}
	}
	return &selection{from: append(from[:len(from):len(from)], s)}
}

// formatKey is DATE_FORMAT of a column by which rows are told apart, in two
// steps.
func (r *renderer) formatKey(e Expr) (key, text string, ok bool) {
	f, ok := e.(*Func)
	if !ok || !f.Native || len(f.Args) != 2 || f.Args[0].Kind() != Time {
		return "", "", false
	}
	call, ok := f.Node.(*sqlparser.FuncExpr)
	format, isText := f.Args[1].(*Literal)
	if !ok || !isText || call.Name.Lowered() != "date_format" || !format.Kind().Textual() {
		return "", "", false
	}
	return functions.FormatKey(r.lanes(f.Args[0], Time)[0], format.SQLValue().ToString())
}
