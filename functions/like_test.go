package functions

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

// As a regular expression says it (MySQL manual, string comparison functions: %
// is any characters, _ one, the backslash takes their meaning).
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
			if got, err := Like([]rune(n), []rune(p), []rune{'\\'}); err != nil || got != want.MatchString(n) {
				t.Errorf("%q LIKE %q: %v", n, p, got)
			}
		}
	}
	as := bytes.Repeat([]byte("a"), 10000)
	if got, err := Like(as, append(bytes.Repeat([]byte("%a"), 200), 'b'), []byte{'\\'}); got || err != nil {
		t.Error("matches", err)
	}
	if got, err := Like(as, append(append([]byte("%"), as[:9000]...), 'b'), nil); got || err != nil {
		t.Error("matches", err)
	}
	if _, err := Like(bytes.Repeat(as, 100), append(append([]byte("%"), bytes.Repeat(as, 50)...), 'b'), nil); err == nil {
		t.Error("no bound")
	}
}
