package sqlserver

import (
	"regexp"
	"strings"
)

// namesCollation is SET NAMES with a collation, which go-mysql-server reads
// and forgets.
var namesCollation = regexp.MustCompile(`(?i)^\s*(SET\s+NAMES\s+(?:'\w+'|"\w+"|\w+))\s+COLLATE\s+['"]?(\w+)['"]?\s*(?:,|;?\s*$)`)

// withCollation is the statement with the collation as an assignment of its
// own. It looks only at short texts: none of them is long.
func withCollation(text string) string {
	if len(text) > 200 {
		return text
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
