package engine

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/functions"
)

// What sessions hold without a statement that runs: variables, statements that
// are prepared, rows of cursors. Nothing could be ended to have it back, so it
// is bounded where it is taken: for each, and for all together.

const (
	// heldBytes is what a session may hold, and a connection beside it.
	heldBytes = 16 << 20
	// heldFreely is what each may hold whatever the others do.
	heldFreely = 64 << 10
	// heldOver is what a name takes besides itself and its value.
	heldOver = 128
)

// holdings are what all shares hold.
type holdings struct {
	limit int64
	used  atomic.Int64
}

func (h *holdings) add(bytes int) int64 {
	if h == nil {
		return 0
	}
	return h.used.Add(int64(bytes))
}

// Share is what a session or a connection holds; the zero value is bounded by
// itself alone. It is used by one goroutine.
type Share struct {
	all  *holdings
	held int
}

// Share makes a share of what connections may hold. It must be released.
func (e *Engine) Share() *Share { return &Share{all: &e.holdings} }

// Hold makes room for so many bytes more, or for fewer. Error 1041 tells that
// there is none.
func (s *Share) Hold(more int) error {
	if more > 0 && s.held+more > heldBytes {
		return functions.Errorf(1041, "Out of memory: the variables and prepared statements of a session hold at most %s", byteText(heldBytes))
	}
	if used := s.all.add(more); more > 0 && s.all != nil && s.held+more > heldFreely && used > s.all.limit {
		s.all.add(-more)
		return functions.Errorf(1041, "Out of memory: the variables, prepared statements and cursors of all sessions hold %s, an eighth of --memory-limit; "+
			"DEALLOCATE PREPARE, SET variables to NULL, or close connections", byteText(s.all.limit))
	}
	s.held += more
	return nil
}

// Release gives all of it back.
func (s *Share) Release() {
	s.all.add(-s.held)
	s.held = 0
}

// session is a connection's session, with what we keep beside
// go-mysql-server's.
type session struct {
	*sql.BaseSession
	*Share
	prepared   map[string]string // by name
	savepoints []string          // of the transaction, in lower case
	variables  map[string]int    // bytes of the user's, by name
}

// SetUserVariable implements sql.Session.
func (s *session) SetUserVariable(ctx *sql.Context, name string, value any, t sql.Type) error {
	bytes := heldOver + len(name)
	switch v := value.(type) {
	case string:
		bytes += len(v)
	case DecimalValue:
		bytes += len(v)
	case []byte:
		bytes += len(v)
	}
	if err := s.Hold(bytes - s.variables[name]); err != nil {
		return err
	}
	if s.variables == nil {
		s.variables = map[string]int{}
	}
	s.variables[name] = bytes
	return s.BaseSession.SetUserVariable(ctx, name, value, t)
}

// longestSetting bounds the text of a system variable; MySQL's are shorter.
const longestSetting = 4096

// SetSessionVariable implements sql.Session.
func (s *session) SetSessionVariable(ctx *sql.Context, name string, value any) error {
	if text, ok := value.(string); ok && len(text) > longestSetting {
		return wrongValue(name, strings.ToValidUTF8(text[:60], "")+"…", fmt.Sprintf("it has more than %d bytes", longestSetting))
	}
	return s.BaseSession.SetSessionVariable(ctx, name, value)
}

// keep holds the text of a statement under a name.
func (s *session) keep(name, text string) error {
	bytes := func(text string) int { return heldOver + len(name) + len(text) }
	more := bytes(text)
	if before, ok := s.prepared[name]; ok {
		more -= bytes(before)
	}
	if err := s.Hold(more); err != nil {
		return err
	}
	if s.prepared == nil {
		s.prepared = map[string]string{}
	}
	s.prepared[name] = text
	return nil
}

// drop forgets a name; false when there is none.
func (s *session) drop(name string) bool {
	text, ok := s.prepared[name]
	if ok {
		_ = s.Hold(-(heldOver + len(name) + len(text))) // less is never refused
		delete(s.prepared, name)
	}
	return ok
}
