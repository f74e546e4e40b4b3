package engine

import (
	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/functions"
)

// session is a connection's session, with what we keep beside
// go-mysql-server's.
type session struct {
	*sql.BaseSession
	prepared   map[string]string // by name
	savepoints []string          // of the transaction, in lower case
	variables  map[string]int    // bytes of the user's, by name
	held       int               // bytes of variables and prepared statements
	onlyReads  bool              // no pins
	noBytes    bool              // of packets
	behind     bool              // its statements run by themselves: others come first
}

// standsBack tells whether the session's statements run by themselves.
func standsBack(ctx *sql.Context) bool {
	s, ok := ctx.Session.(*session)
	return ok && s.behind
}

const (
	// heldBytes is what a session may hold without a statement that runs:
	// nothing could be ended to have it back.
	heldBytes = 16 << 20
	// variableBytes is what a variable takes besides its value.
	variableBytes = 128
)

// hold makes room for so many bytes more, or for fewer.
func (s *session) hold(more int) error {
	if more > 0 && s.held+more > heldBytes {
		return functions.Errorf(1041, "Out of memory: the variables and prepared statements of a session hold at most %s", byteText(heldBytes))
	}
	s.held += more
	return nil
}

// SetUserVariable implements sql.Session.
func (s *session) SetUserVariable(ctx *sql.Context, name string, value any, t sql.Type) error {
	bytes := variableBytes + len(name)
	switch v := value.(type) {
	case string:
		bytes += len(v)
	case DecimalValue:
		bytes += len(v)
	case []byte:
		bytes += len(v)
	}
	if err := s.hold(bytes - s.variables[name]); err != nil {
		return err
	}
	if s.variables == nil {
		s.variables = map[string]int{}
	}
	s.variables[name] = bytes
	return s.BaseSession.SetUserVariable(ctx, name, value, t)
}
