package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
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

// TestCommunityIDIsItsText: every row's Community ID, as text, is the stored
// one that conditions and joins compare.
func TestCommunityIDIsItsText(t *testing.T) {
	for name, dir := range map[string]func() (string, error){"": demoArchive, "observers": observersArchive} {
		dir, err := dir()
		if err != nil {
			t.Fatal(err)
		}
		e := engineOver(t, dir)
		stored := map[string]uint64{}
		for _, c := range storedRows[tables.Connection](t, dir, archive.Connections) {
			stored["connections "+c.ConnID.String()] = c.CID
		}
		for _, f := range storedRows[tables.Flow](t, dir, archive.Flows) {
			stored["flows "+f.FlowID.String()] = f.CID
		}
		for _, x := range storedRows[tables.Export](t, dir, archive.Exports) {
			stored["flows "+x.FlowID.String()] = x.CID
		}
		compared := 0
		for table, id := range map[string]string{"connections": "conn_id", "flows": "flow_id"} {
			for _, row := range rowsOf(t, e, fmt.Sprintf("SELECT %s, community_id, COUNT(*) FROM %s GROUP BY 1, 2", id, table)) {
				cid, err := tables.ParseCommunityID(row[1])
				want, ok := stored[table+" "+row[0]]
				if err != nil || ok && cid != want {
					t.Errorf("%s: %s %s has %s, %016x is stored (%v)", name, table, row[0], row[1], want, err)
				}
				if ok {
					compared++
				}
			}
			for _, row := range rowsOf(t, e, fmt.Sprintf("SELECT DISTINCT community_id FROM %s", table)) {
				if n := number(t, rowOf(t, e, fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE community_id = '%s'", table, row[0]))[0]); n == 0 {
					t.Errorf("%s: no row of %s has %s", name, table, row[0])
				}
			}
		}
		if compared < len(stored)*9/10 {
			t.Errorf("%s: %d of %d rows compared", name, compared, len(stored))
		}
	}
}
