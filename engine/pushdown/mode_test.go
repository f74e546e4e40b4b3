package pushdown

import (
	"strings"
	"testing"
	"time"
)

// A text is restated so that the default grammar reads it as its own mode does,
// and told again as it was typed.
func TestRestate(t *testing.T) {
	all := Mode{AnsiQuotes: true, NoBackslash: true, PipesAsConcat: true, HighNot: true}
	for _, c := range []struct {
		mode              Mode
		text, first, rest string
	}{
		{Mode{}, "SELECT 'a;b' ; SELECT 2", "SELECT 'a;b' ", " SELECT 2"},
		{Mode{}, `SELECT 'a\';' -- x;` + "\n", `SELECT 'a\';' -- x;` + "\n", ""},
		{Mode{AnsiQuotes: true}, "SELECT \"a`b\"\"c\", 'x\"y', `\"`", "SELECT /*\"*/`a``b\"c`, 'x\"y', `\"`", ""},
		{Mode{AnsiQuotes: true}, `SELECT @"a" /* "c" */ # "d"`, "SELECT @`a` /* \"c\" */ # \"d\"", ""},
		{Mode{NoBackslash: true}, `SELECT '\'; SELECT "\\"`, `SELECT /*\*/'\\'`, ` SELECT "\\"`},
		{Mode{PipesAsConcat: true}, "SELECT a||'||'", "SELECT a ^ @`||` ^ '||'", ""},
		{Mode{PipesAsConcat: true}, "a LIKE f(1, (2)) || t.b || 'c' OR d LIKE e", "a LIKE (/*||*/ f(1, (2))  ^ @`||` ^  t.b  ^ @`||` ^  'c'/*||*/) OR d LIKE e", ""},
		{Mode{PipesAsConcat: true}, "a LIKE 'x' || (b LIKE 'y' || 'z')", "a LIKE (/*||*/ 'x'  ^ @`||` ^  (b LIKE (/*||*/ 'y'  ^ @`||` ^  'z'/*||*/))/*||*/)", ""},
		{Mode{HighNot: true}, "not a AND b IS NOT NULL AND c NOT IN (1) AND NOT /* */ EXISTS (2)", "!/*NOT*/  a AND b IS NOT NULL AND c NOT IN (1) AND !/*NOT*/  /* */ EXISTS (2)", ""},
		{all, "SELECT 'unended", "SELECT 'unended", ""},
		{all, `SELECT "unended`, "SELECT /*\"*/`unended`", ""},
	} {
		first, rest := c.mode.Restate(c.text)
		if first != c.first || rest != c.rest {
			t.Errorf("%s:\n got %s | %s\nwant %s | %s", c.text, first, rest, c.first, c.rest)
		}
	}
	for _, text := range []string{`"a""b" || 'c\d'`, `x LIKE 'a' || "b"`, `1 + 2`, "NOT x"} {
		if first, _ := all.Restate(text); AsTyped(first) != text {
			t.Errorf("%s is told as %s", text, AsTyped(first))
		}
	}
	for _, piece := range []string{"LIKE || ", "LIKE (", "a.", "\"", "'\\", "/*", "@"} {
		start := time.Now()
		all.Restate(strings.Repeat(piece, 256<<10/len(piece)))
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s again and again takes %v", piece, d)
		}
	}
}
