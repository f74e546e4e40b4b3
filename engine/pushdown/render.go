package pushdown

import (
	"fmt"
	"strconv"
	"strings"
)

// Relations as DuckDB text. Each node adds to the SELECT below it while that
// keeps the meaning, else it selects from it: DuckDB flattens what is nested,
// and the text stays short enough to read in EXPLAIN.

// renderer writes text. The first thing that has no text is kept in err.
type renderer struct {
	err     error
	aliases int
	depth   int
	top     *Project // its entries are results
}

func (r *renderer) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// selection is a SELECT in the making.
type selection struct {
	cols     []string // nil: *
	distinct bool
	from     string
	joined   bool // from is a join
	where    []string
	group    []string
	grouped  bool
	order    []string
	limit    string
	set      string // UNION … of whole statements, instead of all above
}

// text writes the statement.
func (s *selection) text(depth int) string {
	nl := "\n" + strings.Repeat("  ", depth)
	if s.set != "" {
		return s.set + s.tail(nl)
	}
	var b strings.Builder
	b.WriteString("SELECT ")
	if s.distinct {
		b.WriteString("DISTINCT ")
	}
	if s.cols == nil {
		b.WriteString("*")
	}
	b.WriteString(strings.Join(s.cols, ", "))
	if s.from != "" {
		b.WriteString(nl + "FROM " + s.from)
	}
	if len(s.where) > 0 {
		b.WriteString(nl + "WHERE " + strings.Join(s.where, nl+"  AND "))
	}
	if len(s.group) > 0 {
		b.WriteString(nl + "GROUP BY " + strings.Join(s.group, ", "))
	}
	return b.String() + s.tail(nl)
}

func (s *selection) tail(nl string) string {
	t := ""
	if len(s.order) > 0 {
		t = nl + "ORDER BY " + strings.Join(s.order, ", ")
	}
	return t + s.limit
}

// wrap selects from what there is so far.
func (s *selection) wrap(r *renderer) *selection {
	r.aliases++
	nl := "\n" + strings.Repeat("  ", r.depth+1)
	return &selection{from: "(" + nl + s.text(r.depth+1) + ") AS t" + strconv.Itoa(r.aliases)}
}

// open tells whether WHERE can still be added.
func (s *selection) open() bool {
	return s.set == "" && s.cols == nil && !s.grouped && len(s.order) == 0 && s.limit == ""
}

// item is an entry of a FROM clause.
func (s *selection) item(r *renderer) string {
	if s.open() && len(s.where) == 0 {
		return s.from
	}
	return s.wrap(r).from
}

// named writes the select list entries of a computed column.
func (r *renderer) named(n Named) []string {
	names := columnLanes(n.Column)
	texts := r.lanes(n.Expr, n.Kind)
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
	r.depth++
	defer func() { r.depth-- }()
	switch n := n.(type) {
	case *Dual:
		return &selection{from: "(SELECT 1 AS one) AS dual"}
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
		if s.cols != nil || s.set != "" {
			// A select list changes no rows: order and limit stay outside.
			order, limit := s.order, s.limit
			s.order, s.limit = nil, ""
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
			names, texts := columnLanes(k.Column), r.lanes(k.Expr, k.Kind)
			if k.Kind == Community {
				// The text follows from the id.
				s.group = append(s.group, texts[0])
				texts[1] = "any_value(" + texts[1] + ")"
			} else {
				s.group = append(s.group, texts[:len(names)]...)
			}
			for i, name := range names {
				if texts[i] != name {
					name = texts[i] + " AS " + name
				}
				s.cols = append(s.cols, name)
			}
		}
		for _, a := range n.Aggs {
			s.cols = append(s.cols, r.named(a)...)
		}
		if len(s.cols) == 0 {
			s.cols = []string{"1 AS one"}
		}
		return s
	case *Sort:
		s := r.rel(n.Child)
		if len(s.order) > 0 || s.limit != "" || s.distinct || s.set != "" {
			s = s.wrap(r)
		}
		for _, k := range n.Keys {
			s.order = append(s.order, r.orderBy(k)...)
		}
		return s
	case *Limit:
		s := r.rel(n.Child)
		if s.limit != "" {
			s = s.wrap(r)
		}
		nl := "\n" + strings.Repeat("  ", r.depth)
		if n.Count >= 0 {
			s.limit = nl + "LIMIT " + strconv.FormatInt(n.Count, 10)
		}
		if n.Offset > 0 {
			s.limit += nl + "OFFSET " + strconv.FormatInt(n.Offset, 10)
		}
		return s
	case *Distinct:
		s := r.rel(n.Child)
		if s.cols == nil || s.set != "" || s.distinct || len(s.order) > 0 || s.limit != "" {
			s = s.wrap(r)
		}
		s.distinct = true
		return s
	case *Join:
		return r.join(n)
	case *SetOp:
		all := ""
		if n.All {
			all = " ALL"
		}
		nl := "\n" + strings.Repeat("  ", r.depth)
		left, right := r.side(n.L, n.Out), r.side(n.R, n.Out)
		return (&selection{set: left + nl + n.Op + all + nl + right}).wrap(r)
	}
	r.fail("%T is not rendered", n)
	return &selection{from: "(SELECT 1) AS none"}
}

// side writes one side of a set operation under the names of its result.
func (r *renderer) side(n Rel, out []Column) string {
	s := r.rel(n).wrap(r)
	var names []string
	for _, c := range out {
		names = append(names, columnLanes(c)...)
	}
	s.cols = columnNamesOf(n.Columns())
	for i, name := range names {
		s.cols[i] += " AS " + name
	}
	return s.text(r.depth)
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
	kind := "scan"
	if IsPackets(n.Relation) {
		kind = "packets"
	}
	s.from = fmt.Sprintf("{{%s %d}}", kind, n.ID)
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

func (r *renderer) orderBy(k SortKey) []string {
	kind := k.Expr.Kind()
	lanes := r.lanes(k.Expr, kind)
	switch kind {
	case Address:
	case Community:
		lanes = lanes[1:]
	default:
		lanes = lanes[:1]
	}
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
	left := r.rel(n.L).item(r)
	s := r.rel(n.R)
	right := s.item(r)
	if s.joined && right == s.from {
		right = "(" + right + ")"
	}
	nl := "\n" + strings.Repeat("  ", r.depth)
	word := map[JoinKind]string{Inner: "JOIN ", Left: "LEFT JOIN ", Cross: "CROSS JOIN ", Semi: "SEMI JOIN ", Anti: "ANTI JOIN "}[n.Kind]
	if n.Kind == Inner && len(n.On) == 0 {
		word = "CROSS JOIN "
	}
	from := left + nl + word + right
	if word != "CROSS JOIN " {
		on := make([]string, len(n.On))
		for i, c := range n.On {
			on[i] = r.boolean(c)
		}
		if len(on) == 0 {
			on = []string{"true"}
		}
		from += " ON " + strings.Join(on, " AND ")
	}
	return &selection{from: from, joined: true}
}
