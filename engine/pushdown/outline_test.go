package pushdown

import (
	"os"
	"strings"
	"testing"
)

// TestOutlines keeps plans as people read them.
func TestOutlines(t *testing.T) {
	text, err := os.ReadFile("testdata/outlines.txt")
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	for _, query := range statements(string(text)) {
		p, err := compileText(t, query, testEnv())
		if err != nil {
			t.Fatal(query, err)
		}
		page.WriteString(query + "\n----\n" + p.Outline() + "\n")
	}
	golden(t, "outlines.txt", page.String())
}
