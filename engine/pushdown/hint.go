package pushdown

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"vitess.io/vitess/go/vt/sqlparser"
)

var timeHint = regexp.MustCompile(`(?i)\bMAX_EXECUTION_TIME\s*\(\s*(\d{1,10})\s*\)`)

// TimeHint is what the hint MAX_EXECUTION_TIME gives a query, explained or not; 0
// for none. As in MySQL (manual 10.9.3) it stands behind the first SELECT that
// belongs to no WITH and holds for the whole statement; elsewhere it is nothing.
func TimeHint(text string) time.Duration {
	if !timeHint.MatchString(text) {
		return 0
	}
	list := tokens(text)
	within := 0 // parentheses of a common table expression
	for i, t := range list {
		switch {
		case i == 0 && !strings.Contains(" explain describe desc with select ( ", " "+strings.ToLower(text[t.start:t.end])+" "):
			return 0
		case t.typ == '(' && (within > 0 || i > 0 && list[i-1].typ == sqlparser.AS):
			within++
		case t.typ == ')' && within > 0:
			within--
		case t.typ == sqlparser.SELECT && within == 0:
			if i+1 == len(list) {
				return 0
			}
			hints, _, _ := strings.Cut(strings.TrimSpace(text[t.end:list[i+1].start]), "*/")
			if m := timeHint.FindStringSubmatch(hints); m != nil && strings.HasPrefix(hints, "/*+") {
				ms, _ := strconv.ParseInt(m[1], 10, 64)
				return time.Duration(ms) * time.Millisecond
			}
			return 0
		}
	}
	return 0
}

// Executed is the name, in lower case, of what EXECUTE runs; "" for other
// statements.
func Executed(text string) string {
	if !executes.MatchString(text) {
		return ""
	}
	list := tokens(text)
	if len(list) < 2 || list[0].typ != sqlparser.EXECUTE {
		return ""
	}
	return strings.ToLower(list[1].word)
}

var executes = regexp.MustCompile(`(?i)\bEXECUTE\b`)
