package functions

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/tables"
)

// builtin is a function or an operator of MySQL: the one place that says what
// it is called with, what comes out and how it is computed.
type builtin struct {
	// name is in lower case; an operator's is its sign.
	name string
	// args are as documentation writes them: "text, position[, length]"; "…"
	// at the end takes any number more, and none stands for a variable form.
	args string
	doc  string
	// typed is the rule of the result's type.
	typed rule
	// eval makes the evaluation; nil takes evalengine's.
	eval func(c *call) (evaluator, error)
	// exact tells that eval or evalengine want decimals with the digits a
	// quotient carries; others get them as their type shows them.
	exact bool
	// whole tells that arguments come like that, though the result is as its
	// type says.
	whole bool
	// stored tells that the function looks at the bytes of text, as they are in
	// its character set.
	stored bool
}

// call is a node with its arguments typed: what the table's rules see.
type call struct {
	*builtin
	node sqlparser.Expr
	name string
	args []Argument
	s    *Session
	// result is the type of the call, once it is known.
	result Type
	// shows are the arguments that it takes with the digits their types show.
	shows []int
}

// table has every builtin by name.
var table = sync.OnceValue(func() map[string]*builtin {
	t := map[string]*builtin{}
	for _, list := range [][]builtin{operators, conditionals, numbers, texts, patterns, dates, spans, strToDate, documents, networks, ownFunctions()} {
		for i := range list {
			if t[list[i].name] != nil {
				panic("functions: " + list[i].name + " is defined twice")
			}
			t[list[i].name] = &list[i]
		}
	}
	return t
})

// aliases are second names.
var aliases = map[string]string{
	"lcase": "lower", "ucase": "upper", "ceiling": "ceil", "power": "pow", "character_length": "char_length",
	"octet_length": "length", "mid": "substring", "substr": "substring", "dayofmonth": "day", "sha": "sha1", "position": "locate",
	"curdate": "current_date", "curtime": "current_time", "current_timestamp": "now", "localtime": "now", "localtimestamp": "now",
	"adddate": "date_add", "subdate": "date_add", "date_sub": "date_add", "timestampadd": "date_add", "convert": "cast",
	"rlike": "regexp", "json_merge": "json_merge_preserve",
}

// Entry is a line of the list of functions, for documentation.
type Entry struct {
	Name, Args, Doc string
	// Aliases are other names of the same.
	Aliases []string
	// Least is the number of arguments it wants.
	Least int
	// Native tells that DuckDB computes it for some types of arguments.
	Native bool
}

// Entries lists every function and operator by name.
func Entries() []Entry {
	var out []Entry
	for _, b := range table() {
		e := Entry{Name: b.name, Args: b.args, Doc: b.doc, Native: translations()[b.name] != nil || strings.Contains(byCompiler, " "+b.name+" ")}
		e.Least, _ = b.arity()
		for alias, name := range aliases {
			if name == b.name {
				e.Aliases = append(e.Aliases, alias)
			}
		}
		slices.Sort(e.Aliases)
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// byCompiler are the operators that the compiler itself writes in DuckDB's SQL.
const byCompiler = " and or xor not is = <=> <> < <= > >= between in like + - * / div % unary - & | ^ << >> ~ case if ifnull coalesce " +
	"nullif greatest least isnull date_add cast "

// arity reads the least and the most number of arguments off their
// documentation; most is -1 where there is no limit.
func (b *builtin) arity() (least, most int) {
	required, _, _ := strings.Cut(b.args, "[")
	count := func(s string) int {
		n := 0
		for _, a := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == '[' || r == ']' }) {
			if a = strings.TrimSpace(a); a != "" && a != "…" {
				n++
			}
		}
		return n
	}
	least, most = count(required), count(b.args)
	if strings.Contains(b.args, "…") {
		most = -1
	}
	return least, most
}

// find looks a node's function up and checks the number of arguments where
// the grammar does not.
func find(node sqlparser.Expr, n int) (string, *builtin, error) {
	name := nameOf(node)
	b := table()[name]
	if b == nil {
		if _, ok := node.(*sqlparser.FuncExpr); !ok && name == "" {
			return "", nil, Errorf(1235, "This version of wiresql doesn't yet support '%s'", sqlparser.String(node))
		}
		message := "FUNCTION " + name + " does not exist"
		if near := tables.Nearest(name, names()); near != "" {
			message += ": did you mean " + near + "?"
		}
		return name, nil, Errorf(1305, "%s", message)
	}
	if fn, ok := node.(*sqlparser.FuncExpr); ok {
		if least, most := b.arity(); n < least || most >= 0 && n > most {
			return name, nil, Errorf(1582, "Incorrect parameter count in the call to native function '%s'", fn.Name.String())
		}
	}
	return name, b, nil
}

// Aggregates are the grammar's, asked for more than any function: what a
// misspelt name may have meant.
var Aggregates = []string{"count", "sum", "max", "min", "avg", "group_concat", "std", "stddev", "stddev_pop", "stddev_samp",
	"var_pop", "var_samp", "variance", "bit_and", "bit_or", "bit_xor", "median", "quantile", "mad", "pcap"}

// names are those of aggregates, then of all functions and their aliases,
// sorted. Operators are none.
var names = sync.OnceValue(func() (names []string) {
	for name := range maps.Keys(table()) {
		if name[0] >= 'a' && name[0] <= 'z' {
			names = append(names, name)
		}
	}
	names = slices.AppendSeq(names, maps.Keys(aliases))
	slices.Sort(names)
	return slices.Concat(Aggregates, names)
})

// nameOf is the table's name of a node; "" for what is no scalar function or
// operator.
func nameOf(node sqlparser.Expr) string {
	switch n := node.(type) {
	case *sqlparser.FuncExpr:
		if name, ok := aliases[n.Name.Lowered()]; ok {
			return name
		}
		return n.Name.Lowered()
	case *sqlparser.CurTimeFuncExpr:
		if name, ok := aliases[n.Name.Lowered()]; ok {
			return name
		}
		return n.Name.Lowered()
	case *sqlparser.BinaryExpr:
		return strings.ToLower(n.Operator.ToString())
	case *sqlparser.UnaryExpr:
		switch n.Operator {
		case sqlparser.UMinusOp:
			return "unary -"
		case sqlparser.UPlusOp:
			return "unary +"
		case sqlparser.BangOp:
			return "not"
		case sqlparser.TildaOp:
			return "~"
		}
		return "introducer"
	case *sqlparser.ComparisonExpr:
		switch n.Operator {
		case sqlparser.NotInOp:
			return "in"
		case sqlparser.NotLikeOp:
			return "like"
		case sqlparser.NotRegexpOp:
			return "regexp"
		case sqlparser.NotEqualOp:
			return "<>"
		}
		return n.Operator.ToString()
	case *sqlparser.AndExpr:
		return "and"
	case *sqlparser.OrExpr:
		return "or"
	case *sqlparser.XorExpr:
		return "xor"
	case *sqlparser.NotExpr:
		return "not"
	case *sqlparser.IsExpr:
		return "is"
	case *sqlparser.BetweenExpr:
		return "between"
	case *sqlparser.CaseExpr:
		return "case"
	case *sqlparser.CastExpr, *sqlparser.ConvertExpr:
		return "cast"
	case *sqlparser.ConvertUsingExpr:
		return "convert using"
	case *sqlparser.CollateExpr:
		return "collate"
	case *sqlparser.IntroducerExpr:
		return "introducer"
	case *sqlparser.SubstrExpr:
		return "substring"
	case *sqlparser.TrimFuncExpr:
		switch n.TrimFuncType {
		case sqlparser.LTrimType:
			return "ltrim"
		case sqlparser.RTrimType:
			return "rtrim"
		}
		return "trim"
	case *sqlparser.LocateExpr:
		return "locate"
	case *sqlparser.InsertExpr:
		return "insert"
	case *sqlparser.CharExpr:
		return "char"
	case *sqlparser.IntervalFuncExpr:
		return "interval"
	case *sqlparser.IntervalDateExpr:
		return "date_add"
	case *sqlparser.TimestampDiffExpr:
		return "timestampdiff"
	case *sqlparser.ExtractFuncExpr:
		return "extract"
	case *sqlparser.WeightStringFuncExpr:
		return "weight_string"
	case *sqlparser.RegexpLikeExpr:
		return "regexp_like"
	case *sqlparser.RegexpInstrExpr:
		return "regexp_instr"
	case *sqlparser.RegexpReplaceExpr:
		return "regexp_replace"
	case *sqlparser.RegexpSubstrExpr:
		return "regexp_substr"
	}
	return documentName(node)
}

// prepare is Prepare of a call whose function is known.
func (c *call) prepare() (*Prepared, error) {
	var eval evaluator
	var err error
	encode := c.encodings()
	if c.result, err = c.typed(c); err != nil {
		return nil, err
	}
	c.shows = c.shown()
	if c.eval != nil {
		eval, err = c.eval(c)
	} else if eval, err = c.bySQL(); c.result.Kind == JSON {
		eval = ordered(eval)
	}
	if err != nil {
		return nil, mysqlError(err)
	}
	eval = c.tellingOfTexts(eval)
	if strings.HasPrefix(c.name, "json_") {
		eval = c.inTurn(eval)
	}
	result := c.result
	shown := c.shows
	return &Prepared{Type: result, Eval: func(row []sqltypes.Value) (sqltypes.Value, error) {
		if len(shown)+len(encode) > 0 {
			row = slices.Clone(row)
			for i, to := range encode {
				if !row[i].IsNull() {
					row[i] = to(row[i])
				}
			}
			for _, i := range shown {
				var err error
				if row[i], err = show(row[i], c.args[i].Type); err != nil {
					return sqltypes.NULL, err
				}
			}
		}
		v, err := eval(row)
		if err != nil {
			if err = mysqlError(err); err == error(errNoJSON) && len(row) > 0 {
				err = c.invalidJSON(0, row[0].ToString()) // the document comes first
			}
			return sqltypes.NULL, err
		}
		if v.Len() > c.s.TextLimit() {
			return c.tooLong()
		}
		if c.exact && result.Kind == Decimal {
			return v, nil
		}
		return conform(v, result)
	}}, nil
}

// Exact tells whether a call takes decimals with the digits behind the point
// that a quotient carries, not as its type shows them.
func Exact(node sqlparser.Expr) bool {
	to := (*sqlparser.ConvertType)(nil)
	switch n := node.(type) {
	case *sqlparser.CastExpr:
		to = n.Type
	case *sqlparser.ConvertExpr:
		to = n.Type
	default:
		b := table()[nameOf(node)]
		return b != nil && (b.exact || b.whole)
	}
	switch strings.ToLower(to.Type) {
	case "char", "nchar", "binary", "json":
		return false
	}
	return true
}

// shown lists the arguments that are decimals and must be cut to their scale.
func (c *call) shown() []int {
	if Exact(c.node) {
		return nil
	}
	var out []int
	for i, a := range c.args {
		switch {
		case a.Type.Kind == Decimal,
			a.Type.Kind == Double && a.Type.Scale > 0 && !strings.HasPrefix(c.name, "json_"):
			out = append(out, i)
		}
	}
	return out
}

// literalInt is the n-th argument where it is a literal whole number.
func (c *call) literalInt(n int) (int64, bool) {
	if n >= len(c.args) || !c.args[n].Literal || c.args[n].Value.IsNull() {
		return 0, false
	}
	switch c.args[n].Type.Kind {
	case Bool, Integer:
		i, err := c.args[n].Value.ToInt64()
		return i, err == nil
	}
	return 0, false
}

// literalText is the n-th argument where it is a literal text.
func (c *call) literalText(n int) (string, bool) {
	if n >= len(c.args) || !c.args[n].Literal || c.args[n].Value.IsNull() || !c.args[n].Type.Kind.Textual() {
		return "", false
	}
	return c.args[n].Value.ToString(), true
}

// String names the call in messages.
func (c *call) String() string { return fmt.Sprintf("%s(%s)", c.name, c.builtin.args) }
