package pushdown

import (
	"strings"
	"testing"

	"github.com/dolthub/go-mysql-server/sql/expression"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

func TestParseTime(t *testing.T) {
	same := "2026-06-12 10:15:00.5"
	for _, s := range []string{
		"2026-06-12 10:15:00.5", "2026-06-12T10:15:00.5", "2026-06-12T10:15:00.5Z", "2026-06-12 10:15:00.5Z",
		"2026-06-12T12:15:00.500+02:00", "2026-06-12 05:15:00.5 -05:00", " 2026-06-12 10:15:00.5 ",
	} {
		got, err := ParseTime(s)
		if err != nil || got.Format("2006-01-02 15:04:05.999999") != same {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for s, want := range map[string]string{
		"2026-06-12":                    "2026-06-12 00:00:00",
		"2026-06-12 10:15":              "2026-06-12 10:15:00",
		"2026-06-12T10:15Z":             "2026-06-12 10:15:00",
		"20260612101500":                "2026-06-12 10:15:00",
		"2026-06-12 10:15:00.123456789": "2026-06-12 10:15:00.123457",
		"9999-12-31 00:00:00":           "9999-12-31 00:00:00",
	} {
		got, err := ParseTime(s)
		if err != nil || got.Format("2006-01-02 15:04:05.999999") != want {
			t.Errorf("%q: %v, %v, want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "yesterday", "2026-13-01", "2026-02-30", "2026-06-12 25:00", "10:15", "5", "2026-06-12 10:15:00 Europe/Berlin"} {
		if got, err := ParseTime(s); err == nil {
			t.Errorf("%q is %v", s, got)
		}
	}
}

// LIKE on host names gives what go-mysql-server's LIKE gives.
func TestLike(t *testing.T) {
	names := []string{"", "a", "ab", "abc", "a%c", "a_c", "abcabc", "xabcx", "é", "aéc", `a\c`, "aaaaaaaaab"}
	patterns := []string{"", "%", "_", "a%", "%c", "a_c", `a\%c`, `a\_c`, "%b%", "a%b%c", "__", "%_", "a_c%", "%a%a%a%b", `a\\c`, "abc"}
	for _, n := range names {
		for _, p := range patterns {
			l := expression.NewLike(expression.NewLiteral(n, functions.TypeOf(hostColumn)), expression.NewLiteral(p, functions.TypeOf(hostColumn)), nil)
			want, err := l.Eval(sql.NewEmptyContext(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := like(n, p, '\\'); got != want {
				t.Errorf("%q LIKE %q: %v, want %v", n, p, got, want)
			}
		}
	}
	if like(strings.Repeat("a", 10000), strings.Repeat("%a", 200)+"b", '\\') {
		t.Error("matches")
	}
}

var hostColumn = *tables.Connections.Column("client_host")

func TestAddressLike(t *testing.T) {
	v := &Col{Column{ID: 1, Kind: Address}}
	for pattern, want := range map[string]string{
		"10.%":        "(c1h = 0::UBIGINT AND c1l BETWEEN 281470849515520::UBIGINT AND 281470866292735::UBIGINT)",
		"10.1.%":      "(c1h = 0::UBIGINT AND c1l BETWEEN 281470849581056::UBIGINT AND 281470849646591::UBIGINT)",
		"10.1.2.%":    "(c1h = 0::UBIGINT AND c1l BETWEEN 281470849581568::UBIGINT AND 281470849581823::UBIGINT)",
		"10.1.2.3":    "(c1h = 0::UBIGINT AND c1l = 281470849581571::UBIGINT)",
		"2001:db8::1": "(c1h = 2306139568115548160::UBIGINT AND c1l = 1::UBIGINT)",
	} {
		e, ok := addressLike(v, pattern)
		if !ok {
			t.Errorf("%s is no range", pattern)
			continue
		}
		if got := (&renderer{}).value(e); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
	// These are patterns of text: 10.1% is also 10.100.0.1.
	for _, pattern := range []string{"%", "10.1%", "10._.%", "010.%", "256.%", "10.1.2.3.%", "%.1", "2001:%", "10.01.%", "::ffff:10.0.0.1", "x.%", ".%"} {
		if e, ok := addressLike(v, pattern); ok {
			t.Errorf("%s: %s", pattern, (&renderer{}).value(e))
		}
	}
}

func TestParseNumber(t *testing.T) {
	for s, want := range map[string]string{
		"80": "80", " 80 ": "80", "-5": "(-5)", "1.50": "CAST('1.50' AS DECIMAL(38,2))", "+7.5": "CAST('7.5' AS DECIMAL(38,1))",
		"1e3": "CAST('1000' AS DOUBLE)", "18446744073709551615": "CAST('18446744073709551615' AS DECIMAL(38,0))",
	} {
		l, err := parseNumber(s)
		if err != nil || literalText(l) != want {
			t.Errorf("%q: %v, %v", s, l, err)
		}
	}
	for _, s := range []string{"", "tcp", "80tcp", "0x50", "1/2", "1_000", "--1", "NaN9", strings.Repeat("9", 50)} {
		if l, err := parseNumber(s); err == nil {
			t.Errorf("%q is %s", s, literalText(l))
		}
	}
}

// Every function that is listed has a text, or a case in the renderer.
func TestBuiltinsRender(t *testing.T) {
	arg := map[byte]Expr{
		't': &Col{Column{ID: 1, Kind: Text}}, 'b': &Col{Column{ID: 1, Kind: Text}}, 'n': &Col{Column{ID: 2, Kind: Integer}},
		'i': lit(Integer, int64(2)), 'd': &Col{Column{ID: 3, Kind: Time}}, 'x': &Col{Column{ID: 2, Kind: Integer}},
	}
	for name, b := range builtins {
		spec := strings.ReplaceAll(b.args, "?", "")
		if spec == "" { // made of something else when built
			continue
		}
		if spec == "*" {
			spec = "tt"
		}
		var args []Expr
		for i := range spec {
			args = append(args, arg[spec[i]])
		}
		if b.check != nil && name != "substring_index" && name != "date_format" {
			continue // wants particular literals; in the pages of plans
		}
		if name == "date_format" || name == "substring_index" {
			args[1] = lit(Text, "%Y")
		}
		switch name {
		case "mod", "ifnull":
			continue // built as % and coalesce
		}
		r := &renderer{}
		if text := r.value(call(name, max(b.kind, Bool), args...)); r.err != nil || text == "" || strings.Contains(text, "%1") {
			t.Errorf("%s: %q, %v", name, text, r.err)
		}
	}
}
