package sqlserver

import (
	"regexp"
	"strings"

	"github.com/wiresql/wiresql/functions"
)

// namesCollation is SET NAMES with a collation, which go-mysql-server reads
// and forgets.
var namesCollation = regexp.MustCompile(`(?i)^\s*(SET\s+NAMES\s+('\w+'|"\w+"|\w+))\s+COLLATE\s+['"]?(\w+)['"]?\s*(?:,|;?\s*$)`)

// consistent is what go-mysql-server does not know of START TRANSACTION, and
// what every statement has here: a view of its own of the archive.
var consistent = regexp.MustCompile(`(?i)^(\s*START\s+TRANSACTION)(?:\s+(READ\s+ONLY)\s*,)?\s+WITH\s+CONSISTENT\s+SNAPSHOT(?:\s*,\s*(READ\s+ONLY))?\s*;?\s*$`)

// sets is a SET without texts in it.
var sets = regexp.MustCompile(`(?i)^\s*SET\s[^'"]*$`)

// bytesSet gives a variable the character set binary, which is an operator to the
// grammar.
var bytesSet = regexp.MustCompile(`(?i)(\bcharacter_set_\w+\s*:?=\s*)binary\b`)

// inTheirGrammar writes a statement as go-mysql-server understands it. It looks
// only at short texts: none of them is long.
func inTheirGrammar(text string) (string, error) {
	if len(text) > 200 {
		return text, nil
	}
	if sets.MatchString(text) {
		text = bytesSet.ReplaceAllString(text, "$1'binary'")
	}
	if m := consistent.FindStringSubmatch(text); m != nil {
		return m[1] + " " + m[2] + m[3], nil
	}
	m := namesCollation.FindStringSubmatch(text)
	if m == nil {
		return text, nil
	}
	// A collation that is not known is for who sets it to say.
	id, known := functions.CollationNamed(strings.ToLower(m[3]))
	charset := strings.ToLower(strings.Trim(m[2], `'"`))
	if charset == "utf8" {
		charset = "utf8mb3"
	}
	if known && charset != "default" && functions.CharsetOf(id) != charset {
		return text, functions.Errorf(1253, "COLLATION '%s' is not valid for CHARACTER SET '%s'", m[3], charset)
	}
	name := m[3]
	if known {
		name = functions.CollationName(id)
	}
	set := m[1] + ", collation_connection = '" + name + "'"
	if rest := strings.TrimLeft(text[len(m[0]):], ", "); rest != "" {
		set += ", " + rest
	}
	return set, nil
}
