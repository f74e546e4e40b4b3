package tables

import "testing"

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"", 1, ""}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"abcd", 1, "…"},
		{"äöü", 3, "äöü"}, {"äöüß", 3, "äö…"}, {"a\xff\xff\xff", 3, "a\xff…"},
	} {
		if got := CutText(c.in, c.n); got != c.want {
			t.Errorf("CutText(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}
