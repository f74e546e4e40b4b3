package pushdown

import "github.com/dolthub/go-mysql-server/sql"

func Check(ctx *sql.Context, n sql.Node) error { return nil }

func Rewrite(ctx *sql.Context, n sql.Node) (sql.Node, error) { return n, nil }
