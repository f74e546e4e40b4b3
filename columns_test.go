package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestColumnsHoldWhatTheySay asks the archives whether each column's values
// are those it lists, in the case it says, and no longer than it declares.
func TestColumnsHoldWhatTheySay(t *testing.T) {
	for name, open := range archives {
		e := open(t)
		for _, r := range tables.Relations {
			var ask []string
			var columns []tables.Column
			for _, c := range r.Columns {
				if c.Kind == tables.Text || c.Kind == tables.HostName {
					columns = append(columns, c)
					ask = append(ask, fmt.Sprintf("MAX(CHAR_LENGTH(`%s`))", c.Name))
				}
			}
			if len(ask) == 0 {
				continue
			}
			row := rowOf(t, e, fmt.Sprintf("SELECT %s FROM %s.%s", strings.Join(ask, ", "), r.Schema, r.Name))
			for i, c := range columns {
				if n := number(t, row[i]); n > int64(c.Size) {
					t.Errorf("%s: %s.%s is VARCHAR(%d) and holds %d characters", name, r.Name, c.Name, c.Size, n)
				}
				if !c.NoCase || c.Kind == tables.HostName {
					continue
				}
				for _, found := range rowsOf(t, e, fmt.Sprintf("SELECT DISTINCT `%s` FROM %s.%s WHERE `%[1]s` IS NOT NULL", c.Name, r.Schema, r.Name)) {
					v := found[0]
					switch {
					case c.Values != nil && !slices.Contains(c.Values, v):
						t.Errorf("%s: %s.%s holds %q, which is not one of its values", name, r.Name, c.Name, v)
					case c.Fold == "lower" && strings.ToLower(v) != v, c.Fold == "upper" && strings.ToUpper(v) != v:
						t.Errorf("%s: %s.%s holds %q, which is not in %s case", name, r.Name, c.Name, v, c.Fold)
					}
				}
			}
		}
	}
}
