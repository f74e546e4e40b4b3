package pushdown

import (
	"testing"

	"github.com/wiresql/wiresql/functions"
)

// What a misspelt name may have meant is there.
func TestAggregatesAreBound(t *testing.T) {
	for _, name := range functions.Aggregates {
		if f, _, ok := rowsFunctionNamed(name); !ok || f.kind >= ofFrame {
			t.Errorf("%s is no aggregate", name)
		}
	}
}
