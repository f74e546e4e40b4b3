package pushdown

import (
	"strconv"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
)

// Explain is an EXPLAIN: what is before the statement it is about.
type Explain struct {
	// Format is TREE, JSON, TRADITIONAL, or empty where none is named.
	Format  string
	Analyze bool
	// Connection, when not nil, is the one whose statement is explained.
	Connection *uint64
	// Text is the statement.
	Text string
}

// ReadExplain reads the head of EXPLAIN, DESCRIBE or DESC. It is nil for other
// statements, and where a table is described.
func ReadExplain(text string) (*Explain, error) {
	if n := len(text); n > 0 && !strings.Contains(strings.ToLower(text[:min(n, maxHead)]), "desc") &&
		!strings.Contains(strings.ToLower(text[:min(n, maxHead)]), "explain") {
		return nil, nil
	}
	words := tokens(text)
	at := func(i int) string {
		if i >= len(words) {
			return ""
		}
		if words[i].word == "" && words[i].start < words[i].end {
			return text[words[i].start:words[i].end]
		}
		return strings.ToUpper(words[i].word)
	}
	switch at(0) {
	case "EXPLAIN", "DESCRIBE", "DESC":
	default:
		return nil, nil
	}
	x := &Explain{}
	i := 1
	for ; ; i++ {
		switch at(i) {
		case "ANALYZE":
			x.Analyze = true
			continue
		case "EXTENDED", "PARTITIONS":
			continue // MySQL's and MariaDB's of old; both are always shown
		case "FORMAT":
			if at(i+1) != "=" {
				return nil, nil // a table of that name
			}
			switch name := at(i + 2); name {
			case "TREE", "JSON", "TRADITIONAL":
				x.Format = name
			default:
				return nil, functions.Errorf(1791, "Unknown EXPLAIN format name: '%s'", strings.ToLower(name))
			}
			i += 2
			continue
		}
		break
	}
	if at(i) == "FOR" && at(i+1) == "CONNECTION" {
		n, err := strconv.ParseUint(at(i+2), 10, 64)
		if err != nil || len(words) > i+3 && at(i+3) != ";" {
			return nil, syntaxError("You have an error in your SQL syntax: EXPLAIN FOR CONNECTION takes a connection's number")
		}
		x.Connection = &n
		return x, nil
	}
	if i >= len(words) {
		return nil, nil
	}
	switch words[i].typ {
	case '(', sqlparser.SELECT, sqlparser.WITH, sqlparser.VALUES, sqlparser.TABLE, sqlparser.INSERT, sqlparser.UPDATE, sqlparser.DELETE, sqlparser.REPLACE:
		x.Text = text[words[i].start:]
		return x, nil
	}
	return nil, nil
}

// maxHead is how far into a text the word may stand, behind comments.
const maxHead = 4096
