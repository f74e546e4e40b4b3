package sqlserver

import (
	"regexp"
	"strings"
)

// namesCollation is SET NAMES with a collation, which go-mysql-server reads
// and forgets.
var namesCollation = regexp.MustCompile(`(?i)^\s*(SET\s+NAMES\s+(?:'\w+'|"\w+"|\w+))\s+COLLATE\s+['"]?(\w+)['"]?\s*(?:,|;?\s*$)`)

// consistent is what go-mysql-server does not know of START TRANSACTION, and
// what every statement has here: a view of its own of the archive.
var consistent = regexp.MustCompile(`(?i)^(\s*START\s+TRANSACTION)(?:\s+(READ\s+ONLY)\s*,)?\s+WITH\s+CONSISTENT\s+SNAPSHOT(?:\s*,\s*(READ\s+ONLY))?\s*;?\s*$`)

// inTheirGrammar writes a statement as go-mysql-server understands it. It looks
// only at short texts: none of them is long.
func inTheirGrammar(text string) string {
	if len(text) > 200 {
		return text
	}
	if m := consistent.FindStringSubmatch(text); m != nil {
		return m[1] + " " + m[2] + m[3]
	}
	m := namesCollation.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	set := m[1] + ", collation_connection = '" + m[2] + "'"
	if rest := strings.TrimLeft(text[len(m[0]):], ", "); rest != "" {
		set += ", " + rest
	}
	return set
}
