package pushdown

import (
	"fmt"
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

// rowsFunction is a function that looks at several rows. All that is known of
// one by name stands here.
type rowsFunction struct {
	names string // MySQL's names of it, the first is the plan's
	args  string
	doc   string
	kind  rowsKind
	bind  func(c *compiler, name string, e sqlparser.Expr) (Expr, error)
}

type rowsKind uint8

const (
	aggregates   rowsKind = iota // over a window, too
	ofGroupsOnly                 // not over a window
	ours                         // of groups, which MySQL does not have
	ofFrame                      // OVER, and looks at its frame
	ofPartition                  // OVER, and looks at the whole partition, whatever frame stands there
)

// rowsFunctions are all of them, in the order the documentation shows them. It
// is no variable because binding one binds others in its arguments.
func rowsFunctions() []rowsFunction {
	return []rowsFunction{
		{"count", "*, or [DISTINCT] x, …", "How many rows; how many where x is not NULL; how many different ones.", aggregates, (*compiler).count},
		{"sum", "[DISTINCT] x", "The sum: of whole numbers and decimals a DECIMAL, else a DOUBLE.", aggregates, ofOne((*compiler).sum)},
		{"avg", "[DISTINCT] x", "The mean, with `div_precision_increment` digits more than x.", aggregates, ofOne((*compiler).sum)},
		{"min", "x", "The least.", aggregates, ofOne((*compiler).chosen)},
		{"max", "x", "The greatest.", aggregates, ofOne((*compiler).chosen)},
		{"any_value", "x", "The value of one of the rows, for a column that is the same in all.", aggregates, ofOne((*compiler).chosen)},
		{"bit_and", "x", "The bits that are in all.", aggregates, ofOne((*compiler).bits)},
		{"bit_or", "x", "The bits that are in any.", aggregates, ofOne((*compiler).bits)},
		{"bit_xor", "x", "The bits that are in an odd number.", aggregates, ofOne((*compiler).bits)},
		{"stddev_pop stddev std", "x", "The standard deviation of the population.", aggregates, ofOne((*compiler).deviation)},
		{"stddev_samp", "x", "The standard deviation of a sample.", aggregates, ofOne((*compiler).deviation)},
		{"var_pop variance", "x", "The variance of the population.", aggregates, ofOne((*compiler).deviation)},
		{"var_samp", "x", "The variance of a sample.", aggregates, ofOne((*compiler).deviation)},
		{"group_concat", "[DISTINCT] x, … [ORDER BY …] [SEPARATOR 's']", "The texts one behind another, up to `group_concat_max_len` bytes.", ofGroupsOnly, (*compiler).groupConcat},
		{"json_arrayagg", "x", "An array of the values.", aggregates, (*compiler).jsonArrayOf},
		{"json_objectagg", "name, x", "An object of the values by their names.", aggregates, (*compiler).jsonObjectOf},
		{"median", "x", "The value in the middle, between the two in the middle when there is an even number.", ours, (*compiler).quantile},
		{"quantile", "x, q", "The value below which the share q of all lie, 0 to 1, between two where it falls between: PERCENTILE_CONT(q) of other databases.", ours, (*compiler).quantile},
		{"mad", "x", "The median of how far values are from their median: what is usual, whatever a few of them are.", ours, (*compiler).quantile},
		{"pcap", "packet_id", "The packets as a capture file, pcapng, in the order of time; the statement and what is missing are written into it. It has at most max_allowed_packet bytes; wiresql export has no such bound. It wants the right to bytes, SELECT on packet_bytes.", ours, (*compiler).captureOf},
		{"follow", "packet_id", "What the ends of these packets said to each other, as text: → of who asked, ← of the other, TCP in order and each byte once, ✂ what never came or was not captured. What is no text, or such a mark, is a dot. It wants the right to bytes, SELECT on packet_bytes.", ours, (*compiler).followOf},
		{"file_content", "packet_id, file_id", "What a file held, of the packets of the conversation that carried it: see file_bytes. It wants the right to bytes, SELECT on packet_bytes.", ours, (*compiler).fileOf},
		{"row_number", "", "The number of the row in its partition, from 1.", ofPartition, counted},
		{"rank", "", "The same for equal rows, then as many numbers left out.", ofPartition, counted},
		{"dense_rank", "", "The same for equal rows, none left out.", ofPartition, counted},
		{"percent_rank", "", "Rows with a lower rank, of all but this one: 0 to 1.", ofPartition, proportion},
		{"cume_dist", "", "Rows up to this one and its equals, of all: above 0 to 1.", ofPartition, proportion},
		{"ntile", "n", "In which of n buckets of equal size the row is.", ofPartition, (*compiler).ntile},
		{"lag", "x[, n[, default]]", "x of the row n before.", ofPartition, (*compiler).lagLead},
		{"lead", "x[, n[, default]]", "x of the row n after.", ofPartition, (*compiler).lagLead},
		{"first_value", "x", "x of the first row of the frame.", ofFrame, (*compiler).endOfFrame},
		{"last_value", "x", "x of the last row of the frame.", ofFrame, (*compiler).endOfFrame},
		{"nth_value", "x, n", "x of the n-th row of the frame.", ofFrame, (*compiler).nthValue},
	}
}

// rowsFunctionOf finds what an expression calls, and under which name the
// plan has it.
func rowsFunctionOf(e sqlparser.Expr) (f rowsFunction, name string, ok bool) {
	switch e := e.(type) {
	case sqlparser.AggrFunc:
		name = e.AggrName()
	case *sqlparser.FuncExpr:
		if f, name, ok = rowsFunctionNamed(e.Name.Lowered()); !ok || f.kind != ours {
			return rowsFunction{}, name, false
		}
		return f, name, true
	case *sqlparser.ArgumentLessWindowExpr:
		name = e.Type.ToString()
	case *sqlparser.FirstOrLastValueExpr:
		name = e.Type.ToString()
	case *sqlparser.LagLeadExpr:
		name = e.Type.ToString()
	case *sqlparser.NtileExpr:
		name = "ntile"
	case *sqlparser.NTHValueExpr:
		name = "nth_value"
	}
	return rowsFunctionNamed(strings.ToLower(name))
}

func rowsFunctionNamed(called string) (f rowsFunction, name string, ok bool) {
	for _, f := range rowsFunctions() {
		if names := strings.Fields(f.names); slices.Contains(names, called) {
			return f, names[0], true
		}
	}
	return rowsFunction{}, called, false
}

// ofOne binds an aggregate of one argument.
func ofOne(bind func(c *compiler, name string, distinct bool, x Expr) (Expr, error)) func(*compiler, string, sqlparser.Expr) (Expr, error) {
	return func(c *compiler, name string, e sqlparser.Expr) (Expr, error) {
		d, ok := e.(sqlparser.DistinctableAggr)
		distinct := ok && d.IsDistinct()
		args := e.(sqlparser.AggrFunc).GetArgs()
		if len(args) != 1 {
			return nil, refuse(e, "this aggregate is not supported")
		}
		x, err := c.expr(args[0])
		if err != nil {
			return nil, err
		}
		return bind(c, name, distinct, x)
	}
}

// RowsFunctionNames are the names of aggregates and window functions.
func RowsFunctionNames() (out []string) {
	for _, f := range rowsFunctions() {
		out = append(out, strings.Fields(strings.ToUpper(f.names))...)
	}
	return out
}

// RowsFunctionsPage is the documentation of aggregates and window functions.
func RowsFunctionsPage() string {
	var b strings.Builder
	b.WriteString("\n## Aggregates and window functions\n\nThese look at several rows. Aggregates stand over groups, and over windows (`OVER (…)`; DISTINCT only over groups).\n" +
		"Those marked *window* need OVER.\n\n| function | over | result |\n|---|---|---|\n")
	for _, f := range rowsFunctions() {
		names := strings.Fields(strings.ToUpper(f.names))
		doc := f.doc
		if len(names) > 1 {
			doc += " Also " + strings.Join(names[1:], ", ") + "."
		}
		over := map[rowsKind]string{aggregates: "groups, windows", ofGroupsOnly: "groups", ours: "groups", ofFrame: "window", ofPartition: "window; any frame is the partition"}[f.kind]
		fmt.Fprintf(&b, "| %s(%s) | %s | %s |\n", names[0], strings.ReplaceAll(f.args, "*", "\\*"), over, doc)
	}
	b.WriteString("\n## Functions over the archive\n\nThese are subqueries: they ask the archive, and want the rights that takes.\n\n| function | result |\n|---|---|\n")
	for _, f := range definedFunctions {
		fmt.Fprintf(&b, "| %s(%s) | %s |\n", f.name, f.args, f.doc)
	}
	return b.String()
}
