package pushdown

import (
	"testing"
)

// LIKE, as a regular expression says it (MySQL manual, string comparison
// functions: % is any characters, _ one, the backslash takes their meaning).
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
