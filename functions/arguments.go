package functions

import (
	"vitess.io/vitess/go/vt/sqlparser"
)

// listArguments finds a node's arguments: the expressions below it that are
// not part of another expression. A tuple is only a list of them.
func listArguments(node sqlparser.Expr) []sqlparser.Expr {
	if fn, ok := node.(*sqlparser.FuncExpr); ok && fn.Name.EqualString("get_format") && len(fn.Exprs) > 0 {
		return fn.Exprs[1:] // DATE, TIME or DATETIME is a word of the function
	}
	var args []sqlparser.Expr
	_ = sqlparser.Walk(func(n sqlparser.SQLNode) (bool, error) {
		if isArgument(n, node) {
			args = append(args, n.(sqlparser.Expr))
			return false, nil
		}
		return true, nil
	}, node)
	return args
}

// replaceArguments is the node with its i-th argument replaced by by(i). The
// node itself stays as it is.
func replaceArguments(node sqlparser.Expr, by func(i int) sqlparser.Expr) sqlparser.Expr {
	i := 0
	out := sqlparser.CopyOnRewrite(node, func(n, _ sqlparser.SQLNode) bool {
		return !isArgument(n, node)
	}, func(cursor *sqlparser.CopyOnWriteCursor) {
		if cursor.Parent() != nil && isArgument(cursor.Node(), node) { // the root has none
			cursor.Replace(by(i))
			i++
		}
	}, nil)
	return out.(sqlparser.Expr)
}

// isArgument tells whether n, found below the node, is an argument of it.
func isArgument(n sqlparser.SQLNode, node sqlparser.Expr) bool {
	if _, tuple := n.(sqlparser.ValTuple); tuple {
		return false
	}
	e, ok := n.(sqlparser.Expr)
	if !ok {
		return false
	}
	return e != node
}
