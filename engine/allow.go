package engine

import (
	"errors"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
)

// What may be asked of go-mysql-server is listed here; the rest is refused whatever rights an
// account has. go-mysql-server lets an account with SELECT on one table read
// files (LOAD_FILE), write them (INTO OUTFILE, INTO DUMPFILE) and change the
// server for everybody (SET GLOBAL).

// Allow refuses a statement that does more than ask. text is what parser made
// parsed from.
func Allow(parser sql.Parser, parsed sqlparser.Statement, text string) error {
	if word := fileAccess(text); word != "" {
		return refused(word)
	}
	switch s := parsed.(type) {
	case *sqlparser.Select, *sqlparser.SetOp, *sqlparser.ParenSelect, *sqlparser.Show, *sqlparser.Use, *sqlparser.OtherRead,
		*sqlparser.Begin, *sqlparser.Commit, *sqlparser.Rollback, *sqlparser.Kill, *sqlparser.Execute, *sqlparser.Deallocate,
		*sqlparser.Savepoint, *sqlparser.RollbackSavepoint, *sqlparser.ReleaseSavepoint, *sqlparser.UnlockTables:
		return nil
	case *sqlparser.Explain:
		return Allow(parser, s.Statement, Explained(text))
	case *sqlparser.Set:
		for _, e := range s.Exprs {
			if strings.EqualFold(e.Name.Name.String(), "password") {
				return refused("SET PASSWORD")
			}
			scope := e.Scope
			if _, inName, _, err := sqlparser.VarScopeForColName(e.Name); err == nil && inName != sqlparser.SetScope_None {
				scope = inName
			}
			switch scope {
			case sqlparser.SetScope_Global, sqlparser.SetScope_Persist, sqlparser.SetScope_PersistOnly:
				return refused("SET " + strings.ToUpper(string(scope)))
			}
		}
		return nil
	case *sqlparser.Prepare:
		if strings.HasPrefix(strings.TrimSpace(s.Expr), "@") {
			return refused("PREPARE from a variable")
		}
		inner, err := parser.ParseSimple(s.Expr)
		if err != nil {
			return err
		}
		return Allow(parser, inner, s.Expr)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	return refused(strings.ToUpper(first))
}

func refused(what string) error {
	return functions.Errorf(1290, "wiresql answers questions only: %s is refused", what)
}

// fileAccess finds a word that reads or writes files on the server. It looks
// at the words the parser would see (version comments are opened, strings and
// other comments are not), because the parser's own walk leaves out parts of a
// statement.
func fileAccess(text string) string {
	lower := strings.ToLower(text)
	if !strings.Contains(lower, "load_file") && !strings.Contains(lower, "outfile") && !strings.Contains(lower, "dumpfile") {
		return ""
	}
	words := sqlparser.NewStringTokenizer(text)
	var last []byte
	for {
		typ, word := words.Scan()
		switch {
		case typ == 0 || typ == sqlparser.LEX_ERROR:
			return ""
		case typ == sqlparser.OUTFILE:
			return "INTO OUTFILE"
		case typ == sqlparser.DUMPFILE:
			return "INTO DUMPFILE"
		case typ == '(' && strings.EqualFold(string(last), "load_file"):
			return "LOAD_FILE"
		case typ != sqlparser.COMMENT:
			last = word
		}
	}
}

// others has go-mysql-server run a statement that changes the session.
func (e *Engine) others(ctx *sql.Context, text string) (sql.Schema, sql.RowIter, error) {
	parsed, err := e.sql.Parser.ParseSimple(text)
	if errors.Is(err, sqlparser.ErrEmpty) {
		return nil, sql.RowsToRowIter(), nil
	}
	if err != nil {
		return nil, nil, err
	}
	if err := Allow(e.sql.Parser, parsed, text); err != nil {
		return nil, nil, err
	}
	schema, iter, _, err := e.sql.Query(ctx, text)
	return schema, iter, err
}
