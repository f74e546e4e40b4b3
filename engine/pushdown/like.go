package pushdown

import (
	"strconv"
	"strings"

	"vitess.io/vitess/go/sqltypes"

	"github.com/wiresql/wiresql/functions"
)

// DuckDB's LIKE goes back to every % it has passed: a few of them with a _
// between take longer than anybody waits, and nothing interrupts it. A constant
// pattern of literal parts it searches part by part, and with one % there is
// only one way back. All others are called back.

// quickLike tells whether DuckDB matches a pattern in the time of its length.
func quickLike(pattern, escape string) bool {
	return strings.Count(pattern, "%") <= 1 || !strings.Contains(pattern, "_") && (escape == "" || !strings.Contains(pattern, escape))
}

// likeCalled is a LIKE that is called back.
func likeCalled(e *Call) *Func {
	escape, _ := textLiteral(e.Args[2])
	return &Func{T: e.T, Shape: "LIKE ESCAPE " + strconv.Quote(escape), Args: e.Args[:2], Made: &functions.Prepared{Type: e.T,
		Eval: func(row []sqltypes.Value) (sqltypes.Value, error) {
			if row[0].IsNull() || row[1].IsNull() {
				return sqltypes.NULL, nil
			}
			matches, err := functions.Like([]rune(row[0].RawStr()), []rune(row[1].RawStr()), []rune(escape))
			if matches {
				return sqltypes.NewInt64(1), err
			}
			return sqltypes.NewInt64(0), err
		}}}
}
