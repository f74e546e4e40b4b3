package tables

import (
	"testing"
)

// TestNoNameIsReserved: every table and column can be named without quotes.
func TestNoNameIsReserved(t *testing.T) {
	words := map[string]bool{}
	for _, w := range Reserved() {
		words[w] = true
	}
	if len(words) < 260 || !words["rows"] || words["offset"] {
		t.Fatal("not the list of the manual")
	}
	for _, r := range Relations {
		if words[r.Name] {
			t.Errorf("table %s is a reserved word", r.Name)
		}
		for _, c := range r.Columns {
			if words[c.Name] {
				t.Errorf("column %s.%s is a reserved word", r.Name, c.Name)
			}
		}
	}
}
