package pushdown

import (
	"fmt"
	"strings"

	"github.com/wiresql/wiresql/functions"
)

// Window functions and GROUP_CONCAT as DuckDB text.

// overLanes renders a window function as the columns of its value.
func (r *renderer) overLanes(o *Over) []string {
	var parts []string
	if len(o.Partition) > 0 {
		var by []string
		for _, p := range o.Partition {
			lanes := r.lanes(p, p.Kind())
			if p.Kind() != Address {
				lanes = lanes[:1]
			}
			by = append(by, lanes...)
		}
		parts = append(parts, "PARTITION BY "+strings.Join(by, ", "))
	}
	ranged := o.Frame != nil && o.Frame.Unit == "RANGE" && (o.Frame.Start.Offset != nil || o.Frame.End.Offset != nil)
	if len(o.Order) > 0 {
		var by []string
		for _, k := range o.Order {
			if ranged && k.Expr.Kind() == Date {
				k.Expr = toTime(k.Expr)
			}
			by = append(by, r.orderBy(k)...)
		}
		parts = append(parts, "ORDER BY "+strings.Join(by, ", "))
	}
	if o.Frame != nil {
		parts = append(parts, o.Frame.Unit+" BETWEEN "+r.bound(o.Frame.Start)+" AND "+r.bound(o.Frame.End))
	}
	window := " OVER (" + strings.Join(parts, " ") + ")"
	if a, ok := o.Call.(*Aggregate); ok {
		r.over = window
		defer func() { r.over = "" }()
		if k := a.T.Kind; k == Address {
			return r.pairAggregate(a)
		}
		return []string{r.aggregateText(a)}
	}
	x := o.Call.(*Call)
	k := x.Kind()
	if k == Address || k == Community {
		return r.pairOver(x, window)
	}
	args := make([]string, len(x.Args))
	for i, a := range x.Args {
		if i == 0 || i == 2 {
			args[i] = r.arm(a, k, 0)
			args[i] = r.shown(a, args[i])
		} else {
			args[i] = r.value(a)
		}
	}
	text := x.Op + "(" + strings.Join(args, ", ") + ")" + window
	if k == Unsigned {
		text = "CAST(" + text + " AS UBIGINT)"
	}
	return []string{text}
}

// pairOver takes both halves of a value from one row.
func (r *renderer) pairOver(x *Call, window string) []string {
	k := x.Kind()
	args := make([]string, len(x.Args))
	for i, a := range x.Args {
		if i == 1 {
			args[i] = r.value(a)
			continue
		}
		l := r.lanes(a, k)
		args[i] = "(CASE WHEN " + l[0] + " IS NOT NULL THEN {'a': " + l[0] + ", 'b': " + l[1] + "} END)"
	}
	text := "(" + x.Op + "(" + strings.Join(args, ", ") + ")" + window + ")"
	return []string{text + ".a", text + ".b"}
}

// bound renders one end of a frame.
func (r *renderer) bound(b Bound) string {
	switch {
	case b.Offset == nil:
		return b.Word
	case b.Unit != "":
		return r.interval(b.Offset, b.Unit) + " " + b.Word
	}
	return r.value(b.Offset) + " " + b.Word
}

// groupConcatText renders GROUP_CONCAT, cut at group_concat_max_len bytes.
func (r *renderer) groupConcatText(a *Aggregate) string {
	v, separator := r.value(a.Args[0]), r.value(a.Args[1])
	n, _ := intLiteral(a.Args[2])
	order := ""
	if len(a.Order) > 0 {
		var by []string
		for _, k := range a.Order {
			by = append(by, r.orderBy(k)...)
		}
		order = " ORDER BY " + strings.Join(by, ", ")
	}
	var text string
	switch {
	case !a.Distinct:
		text = fmt.Sprintf("string_agg(%s, %s%s)", v, separator, order)
	case len(a.Args) == 3 && (len(a.Order) == 0 || len(a.Order) == 1 && fingerprint(a.Order[0].Expr) == fingerprint(a.Args[0])):
		if order != "" { // DuckDB wants the argument's own text
			if order = " ORDER BY " + v + " NULLS FIRST"; a.Order[0].Desc {
				order = " ORDER BY " + v + " DESC NULLS LAST"
			}
		}
		text = fmt.Sprintf("string_agg(DISTINCT %s, %s%s)", v, separator, order)
	default:
		text = r.distinctConcat(a, v, separator)
	}
	return fmt.Sprintf("(CASE WHEN strlen(%[1]s) <= %[2]d THEN %[1]s ELSE mysql_text(%[3]s, %[1]s) END)", text, n, functions.Quote(r.bind.Function(a.Finish)))
}

// documentText renders JSON_ARRAYAGG and JSON_OBJECTAGG.
func (r *renderer) documentText(a *Aggregate) string {
	open, shut := "[", "]"
	if a.Name == "json_objectagg" {
		open, shut = "{", "}"
	}
	return fmt.Sprintf("mysql_text(%s, '%s' || string_agg(%s[2:-2], ', ')%s || '%s')", functions.Quote(r.bind.Function(a.Finish)), open, r.value(a.Args[0]), r.over, shut)
}

// packetsText renders what is made of packets.
func (r *renderer) packetsText(a *Aggregate) string {
	return fmt.Sprintf("%s(%s, string_agg(%s, ''))", callbacks[a.T.Kind], functions.Quote(r.bind.Function(a.Finish)), r.value(a.Args[0]))
}

// distinctConcat joins texts that are told apart by one thing and ordered by
// others: of the rows with a text the one that comes first counts. They are a
// list of structures, sorted by what tells them apart, and sorted again.
func (r *renderer) distinctConcat(a *Aggregate, v, separator string) string {
	var keys []string
	for _, k := range a.Order {
		direction := "'ASC NULLS FIRST'"
		if k.Desc {
			direction = "'DESC NULLS LAST'"
		}
		for _, lane := range ordering(k.Expr.Kind(), r.lanes(k.Expr, k.Expr.Kind())) {
			keys = append(keys, lane, direction)
		}
	}
	key, same := "0", v
	if keys != nil {
		key = "create_sort_key(" + strings.Join(keys, ", ") + ")"
	}
	if len(a.Args) > 3 {
		same = r.value(a.Args[3])
	}
	list := fmt.Sprintf("list_sort(list(DISTINCT {'d': %s, 'k': %s, 'v': %s}) FILTER (WHERE %s IS NOT NULL))", same, key, v, v)
	return fmt.Sprintf("array_to_string(list_transform(list_sort(list_transform(list_filter(%[1]s, "+
		"lambda x, i: i = 1 OR (%[1]s)[i - 1].d IS DISTINCT FROM x.d), lambda y: {'k': y.k, 'v': y.v})), lambda z: z.v), %[2]s)", list, separator)
}
