package engine

import (
	"slices"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
)

// maxSavepoints bounds the names a session keeps.
const maxSavepoints = 1000

// savepoint sets, returns to or gives up a savepoint. Nothing is written, so they
// are names alone; but one that was never set is an error, as in MySQL.
func (e *Engine) savepoint(ctx *sql.Context, st sqlparser.Statement) error {
	s, ok := ctx.Session.(*session)
	if !ok {
		return userError("this session can't have savepoints")
	}
	named := func(name sqlparser.IdentifierCI) (int, error) {
		i := slices.Index(s.savepoints, name.Lowered())
		if i < 0 {
			return 0, functions.Errorf(1305, "SAVEPOINT %s does not exist", name.String())
		}
		return i, nil
	}
	switch st := st.(type) {
	case *sqlparser.Savepoint:
		// A name that is set again is the newer one.
		s.savepoints = slices.DeleteFunc(s.savepoints, func(n string) bool { return strings.EqualFold(n, st.Name.String()) })
		if len(s.savepoints) >= maxSavepoints {
			return userError("more than %d savepoints: RELEASE SAVEPOINT some", maxSavepoints)
		}
		s.savepoints = append(s.savepoints, st.Name.Lowered())
	case *sqlparser.SRollback:
		i, err := named(st.Name)
		if err != nil {
			return err
		}
		s.savepoints = s.savepoints[:i+1]
	case *sqlparser.Release:
		i, err := named(st.Name)
		if err != nil {
			return err
		}
		s.savepoints = s.savepoints[:i]
	}
	return nil
}
