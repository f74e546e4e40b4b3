package functions

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/wiresql/wiresql/testdata/mariadb"
)

// TestLiterals compares expressions of literals with a real MariaDB. Where
// MySQL 8 gives something else, the line says what and why:
//
//	expression => value of MySQL 8 -- where that is documented
func TestLiterals(t *testing.T) {
	text, err := os.ReadFile("testdata/literals.txt")
	if err != nil {
		t.Fatal(err)
	}
	db := mariadb.Start(t)
	ctx := context.Background()
	c, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	different := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		expression, documented, said := strings.Cut(line, " => ")
		got := answer(t, expression, session())
		want := ""
		if said {
			want, _, _ = strings.Cut(documented, " -- ")
		} else {
			var v sql.NullString
			err := c.QueryRowContext(ctx, "SELECT "+expression).Scan(&v)
			var refused *mysql.MySQLError
			switch {
			case errors.As(err, &refused):
				want = "error: " + refused.Message
			case err != nil:
				t.Fatalf("%s: %v", expression, err)
			case v.Valid:
				want = v.String
			default:
				want = "NULL"
			}
		}
		if !equal(got, want) {
			different++
			t.Errorf("%s\n\tis       %s\n\tMariaDB: %s", expression, got, want)
		}
	}
	t.Log(different, "differ")
}

// equal compares texts of values: doubles as numbers, 1e300 is written 1e+300.
func equal(got, want string) bool {
	if got == want || strings.HasPrefix(got, "error") && strings.HasPrefix(want, "error") {
		return true
	}
	a, errA := strconv.ParseFloat(got, 64)
	b, errB := strconv.ParseFloat(want, 64)
	return errA == nil && errB == nil && a == b && strings.Contains(want, "e+")
}
