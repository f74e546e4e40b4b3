package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// REGEXP is RE2: the pattern that froze a process answers at once.
func TestRegexp(t *testing.T) {
	ctx := sql.NewEmptyContext()
	text := func(s string) sql.Expression { return expression.NewLiteral(s, types.LongText) }
	for _, c := range []struct {
		text, pattern, flags string
		want                 bool
	}{
		{strings.Repeat("a", 100_000) + "!", "^(a+)+$", "", false},
		{"Server.Example", "^server", "", false},
		{"Server.Example", "^server", "i", true},
		{"a\nb", "a.b", "", false},
		{"a\nb", "a.b", "n", true},
	} {
		e, err := newRegexpLike(text(c.text), text(c.pattern), text(c.flags))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		got, err := e.Eval(ctx, nil)
		if err != nil || got != c.want {
			t.Errorf("%.20q REGEXP %q (%s) = %v, %v; want %v", c.text, c.pattern, c.flags, got, err, c.want)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%q took %v", c.pattern, took)
		}
	}
	for _, bad := range []string{"(", `\1(`, strings.Repeat("x", maxPattern+1)} {
		e, _ := newRegexpLike(text("x"), text(bad))
		if _, err := e.Eval(ctx, nil); err == nil {
			t.Errorf("pattern %.20q was accepted", bad)
		}
	}
}

// The guard stops what the parser could not survive, and nothing people write.
func TestGuard(t *testing.T) {
	list := "1" + strings.Repeat(",1", 5000)
	for name, text := range map[string]string{
		"long":    "SELECT '" + strings.Repeat("x", maxStatement) + "'",
		"nots":    "SELECT " + strings.Repeat("NOT ", 5000) + "1",
		"sum":     "SELECT 1" + strings.Repeat("+1", 20_000),
		"minus":   "SELECT " + strings.Repeat("- ", 5000) + "1",
		"nesting": "SELECT " + strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300),
		"list":    "SELECT 1 IN (" + list + "," + list + ")",
		"ors":     "SELECT 1 FROM t WHERE a=1" + strings.Repeat(" OR a=1", 2000),
	} {
		if err := checkText(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, text := range []string{
		"SELECT 1 IN (" + list + ")",
		"SELECT '" + strings.Repeat("+-NOT ", 5000) + "'",
		"SELECT a, b FROM t WHERE a = 1" + strings.Repeat(" OR a = 1", 200),
		"",
	} {
		if err := checkText(text); err != nil {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}
