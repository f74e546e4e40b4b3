package pushdown

import (
	"regexp"
	"strings"
	"testing"
)

// LIKE, as a regular expression says it (MySQL manual, string comparison
// functions: % is any characters, _ one, the backslash takes their meaning).
func TestLike(t *testing.T) {
	names := []string{"", "a", "ab", "abc", "a%c", "a_c", "abcabc", "xabcx", "é", "aéc", `a\c`, "aaaaaaaaab", "100%", `a\`}
	patterns := []string{"", "%", "_", "a%", "%c", "a_c", `a\%c`, `a\_c`, "%b%", "a%b%c", "__", "%_", "a_c%", "%a%a%a%b", `a\\c`, "abc", `%\%`, `\a%`}
	for _, p := range patterns {
		var re strings.Builder
		re.WriteString("(?s)^")
		for rs := []rune(p); len(rs) > 0; rs = rs[1:] {
			switch {
			case rs[0] == '\\' && len(rs) > 1:
				rs = rs[1:]
				re.WriteString(regexp.QuoteMeta(string(rs[0])))
			case rs[0] == '%':
				re.WriteString(".*")
			case rs[0] == '_':
				re.WriteString(".")
			default:
				re.WriteString(regexp.QuoteMeta(string(rs[0])))
			}
		}
		want := regexp.MustCompile(re.String() + "$")
		for _, n := range names {
			if got := like(n, p, '\\', true); got != want.MatchString(n) {
				t.Errorf("%q LIKE %q: %v", n, p, got)
			}
		}
	}
	if like(strings.Repeat("a", 10000), strings.Repeat("%a", 200)+"b", '\\', true) {
		t.Error("matches")
	}
}

func TestAddressLike(t *testing.T) {
	v := &Col{Column{ID: 1, Type: Type{Kind: Address}}}
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
		if got := (&renderer{bind: symbolic{}}).value(e); got != want {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
	// These are patterns of text: 10.1% is also 10.100.0.1.
	for _, pattern := range []string{"%", "10.1%", "10._.%", "010.%", "256.%", "10.1.2.3.%", "%.1", "2001:%", "10.01.%", "::ffff:10.0.0.1", "x.%", ".%"} {
		if e, ok := addressLike(v, pattern); ok {
			t.Errorf("%s: %s", pattern, (&renderer{bind: symbolic{}}).value(e))
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
	for _, s := range []string{"", "tcp", "80tcp", "0x50", "1/2", "1_000", "--1", "NaN9"} {
		if l, err := parseNumber(s); err == nil {
			t.Errorf("%q is %s", s, literalText(l))
		}
	}
}
