package pushdown

import (
	"maps"

	"vitess.io/vitess/go/vt/sqlparser"
)

// assigner takes @v := x out of a select list: ODBC's catalogue assigns in one
// field and reads in the next. Fields are computed from left to right, so that a
// variable which was assigned before, whichever way the row went, is the
// expression it was assigned. One that would be read as the row before left it is
// refused, and so is one that no field reads: it is meant for the statements
// after this one, and has no value then.
type assigner struct {
	names  map[string]bool // assigned somewhere in the list
	read   map[string]bool
	values map[string]sqlparser.Expr
	copied int // nodes
	err    error
}

// maxCopied bounds what variables that are made of variables grow to.
const maxCopied = 50_000

// copy is an expression in another place.
func (a *assigner) copy(e sqlparser.Expr) sqlparser.Expr {
	if e == nil || a.err != nil {
		return e
	}
	sqlparser.Walk(func(sqlparser.SQLNode) (bool, error) { a.copied++; return a.copied <= maxCopied, nil }, e)
	if a.copied > maxCopied {
		a.err = refuse(e, "variables that are made of variables become too long")
		return e
	}
	return sqlparser.Clone(e)
}

// unassigned is the select list of a query of tables without assignments.
func unassigned(sel *sqlparser.Select) ([]sqlparser.SelectExpr, error) {
	a := &assigner{names: map[string]bool{}, read: map[string]bool{}, values: map[string]sqlparser.Expr{}}
	list := sel.SelectExprs.Exprs
	sqlparser.Walk(func(n sqlparser.SQLNode) (bool, error) {
		if x, ok := n.(*sqlparser.AssignmentExpr); ok {
			if v, ok := x.Left.(*sqlparser.Variable); ok {
				a.names[v.Name.Lowered()] = true
			}
		}
		return true, nil
	}, sel.SelectExprs)
	if len(a.names) == 0 || len(sel.From) == 0 || sqlparser.String(sel.From[0]) == "dual" {
		return list, nil
	}
	if v := a.readIn(sel.Where, sel.GroupBy, sel.Having, sel.OrderBy); v != nil {
		return nil, refuse(v, "a variable that the fields assign is read in the fields only")
	}
	out := make([]sqlparser.SelectExpr, len(list))
	for i, se := range list {
		out[i] = se
		if f, ok := se.(*sqlparser.AliasedExpr); ok {
			f = sqlparser.Clone(f)
			f.Expr = a.rewrite(f.Expr)
			out[i] = f
		}
	}
	if a.err == nil && len(a.read) < len(a.names) {
		return list, nil // refused where it is bound
	}
	return out, a.err
}

// readIn finds an assigned variable.
func (a *assigner) readIn(first sqlparser.SQLNode, more ...sqlparser.SQLNode) (found *sqlparser.Variable) {
	sqlparser.Walk(func(n sqlparser.SQLNode) (bool, error) {
		if v, ok := n.(*sqlparser.Variable); ok && a.names[UserVariable(v)] {
			found = v
		}
		return found == nil, nil
	}, first, more...)
	return found
}

// rewrite takes the assignments out of an expression, in the order in which it
// is computed.
func (a *assigner) rewrite(e sqlparser.Expr) sqlparser.Expr {
	if e == nil || a.err != nil {
		return e
	}
	return sqlparser.Rewrite(e, func(cursor *sqlparser.Cursor) bool {
		switch n := cursor.Node().(type) {
		case *sqlparser.AssignmentExpr:
			v, ok := n.Left.(*sqlparser.Variable)
			if !ok {
				return true
			}
			x := a.rewrite(n.Right)
			a.values[v.Name.Lowered()] = x
			cursor.Replace(x)
			return false
		case *sqlparser.Variable:
			name := UserVariable(n)
			if !a.names[name] {
				return false
			}
			x, ok := a.values[name]
			if !ok {
				a.err = refuse(n, "a variable that the fields assign is not kept from row to row: use a window function")
				return false
			}
			a.read[name] = true
			cursor.Replace(a.copy(x))
			return false
		case *sqlparser.CaseExpr:
			a.caseOf(n)
			return false
		case *sqlparser.FuncExpr:
			if n.Name.Lowered() != "if" || len(n.Exprs) != 3 {
				return true
			}
			n.Exprs[0] = a.rewrite(n.Exprs[0])
			a.branches(n.Exprs[1:], func(values []sqlparser.Expr) sqlparser.Expr {
				return &sqlparser.FuncExpr{Name: n.Name, Exprs: []sqlparser.Expr{a.copy(n.Exprs[0]), values[0], values[1]}}
			})
			return false
		case *sqlparser.Subquery:
			if v := a.readIn(n); v != nil {
				a.err = refuse(v, "a variable that the fields assign is read in the fields only")
			}
			return false
		}
		return true
	}, nil).(sqlparser.Expr)
}

// UserVariable is the name of one, or none: @a, @`a`, @'a' and @"A" are the same.
func UserVariable(n *sqlparser.Variable) string {
	name := n.Name.Lowered()
	if n.Scope != sqlparser.VariableScope {
		return ""
	}
	if last := len(name) - 1; last > 0 && (name[0] == '\'' || name[0] == '"') && name[last] == name[0] {
		return name[1:last] // the parser leaves these quotes
	}
	return name
}

func (a *assigner) caseOf(n *sqlparser.CaseExpr) {
	n.Expr = a.rewrite(n.Expr)
	results := make([]sqlparser.Expr, 0, len(n.Whens)+1)
	for _, w := range n.Whens {
		w.Cond = a.rewrite(w.Cond)
		results = append(results, w.Val)
	}
	results = append(results, n.Else)
	a.branches(results, func(values []sqlparser.Expr) sqlparser.Expr {
		out := &sqlparser.CaseExpr{Expr: a.copy(n.Expr), Else: values[len(values)-1]}
		for i, w := range n.Whens {
			out.Whens = append(out.Whens, &sqlparser.When{Cond: a.copy(w.Cond), Val: values[i]})
		}
		return out
	})
	for i, w := range n.Whens {
		w.Val = results[i]
	}
	n.Else = results[len(results)-1]
}

// branches rewrites the ways a row can go; a variable that has a value at the
// end of each has the one that join makes of them.
func (a *assigner) branches(ways []sqlparser.Expr, join func([]sqlparser.Expr) sqlparser.Expr) {
	before := a.values
	ends := make([]map[string]sqlparser.Expr, len(ways))
	for i, e := range ways {
		a.values = maps.Clone(before)
		ways[i] = a.rewrite(e)
		ends[i] = a.values
	}
	a.values = before
	for name := range a.names {
		var values []sqlparser.Expr
		same := true
		for _, end := range ends {
			if x, ok := end[name]; ok {
				values = append(values, a.copy(x))
				same = same && x == before[name]
			}
		}
		switch {
		case same && len(values) == len(ends):
		case len(values) == len(ends):
			a.values[name] = join(values)
		default:
			delete(a.values, name)
		}
	}
}
