package pushdown

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

func columnNames(rel *tables.Relation) []string {
	var out []string
	for _, c := range rel.Columns {
		out = append(out, c.Name)
	}
	return out
}

// Every relation, whole: what each column is made of.
func TestRelationSQL(t *testing.T) {
	var page strings.Builder
	for _, rel := range append(slices.Clone(tables.Relations), FlowIndex, OtherIndex) {
		if IsPackets(rel) || defined[rel] != nil || rel == tables.OpsQueryLog || rel == tables.OpsDamage || rel == tables.OpsPins || rel == tables.OpsRoots || rel.Schema == tables.Hunt { // of segments, of the server's memory
			continue
		}
		src := Source{Files: map[string][]FileRef{}, Hosts: "hosts", Segments: "segments"}
		for _, f := range Families(rel) {
			src.Files[f] = []FileRef{{Path: "/" + f + "/1.parquet"}, {Path: "/" + f + "/2.parquet"}}
		}
		text, err := RelationSQL(rel, columnNames(rel), src)
		if err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, ", r.", ",\n    r.")
		fmt.Fprintf(&page, "== %s.%s\n%s\n", rel.Schema, rel.Name, text)
	}
	golden(t, "relations.txt", page.String())
}

// only are files of connections.
func only(files ...FileRef) map[string][]FileRef { return map[string][]FileRef{"connections": files} }

func TestScanSource(t *testing.T) {
	all := []string{"ts", "ts_end", "segments", "cut_packets", "sensor", "client_hi", "client_lo", "site", "protocol_number"}
	without := func(name string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == name })
	}
	cases := []struct {
		name string
		cols []string
		src  Source
	}{
		{"no files", []string{"ts", "client_ip", "client_host"}, Source{Hosts: "hosts"}},
		{"no columns", nil, Source{Files: only(FileRef{Path: "a.parquet"})}},
		{"no columns, no files", nil, Source{}},
		{"quoted path", []string{"ts"}, Source{Files: only(FileRef{Path: "/it's/a.parquet"})}},
		{"absent column", []string{"ts", "sensor"}, Source{Files: only(FileRef{Path: "a", Columns: all}, FileRef{Path: "b", Columns: without("sensor")}, FileRef{Path: "c", Columns: all})}},
		{"absent but not asked", []string{"ts", "client_ip"}, Source{Files: only(FileRef{Path: "a", Columns: all}, FileRef{Path: "b", Columns: without("sensor")})}},
		{"absent everywhere", []string{"sensor"}, Source{Files: only(FileRef{Path: "a", Columns: without("sensor")})}},
		{"no names known", []string{"client_host"}, Source{Files: only(FileRef{Path: "a", Columns: all})}},
		{"names", []string{"client_host", "server_host"}, Source{Hosts: "hosts", Files: only(FileRef{Path: "a"})}},
		{"nothing gone", []string{"packet_status"}, Source{Files: only(FileRef{Path: "a", Columns: all})}},
		{"gone and lossy", []string{"packet_status", "evicted_at"}, Source{Files: only(FileRef{Path: "a", Columns: all}), Missing: true, Lossy: true}},
		{"rows of a table", []string{"client_ip"}, Source{Files: only(FileRef{Path: "a"}), Tables: map[string][]string{"connections": {"young"}}}},
		{"rows of a table alone", []string{"client_ip"}, Source{Tables: map[string][]string{"connections": {"young"}}}},
		{"but for some", []string{"client_ip"}, Source{Files: only(FileRef{Path: "a"}, FileRef{Path: "b", Except: "replaced"})}},
		{"but for those replaced", []string{"client_ip"}, Source{Files: only(FileRef{Path: "a"}, FileRef{Path: "b", Replaced: "gone"}, FileRef{Path: "c", Replaced: "gone", Except: "young"})}},
		{"hidden", []string{"cid", "segments"}, Source{Files: only(FileRef{Path: "a"})}},
		{"community id is cid and text, once", []string{"community_id", "cid"}, Source{Files: only(FileRef{Path: "a"})}},
	}
	var page strings.Builder
	for _, c := range cases {
		text, err := RelationSQL(tables.Connections, c.cols, c.src)
		if err != nil {
			t.Fatal(c.name, err)
		}
		fmt.Fprintf(&page, "== %s\n%s\n", c.name, text)
	}
	golden(t, "scans.txt", page.String())
}

// What compaction has not written yet comes from a table.
func TestUnsettledRows(t *testing.T) {
	src := Source{Files: map[string][]FileRef{"exports": {{Path: "m", Columns: []string{"ts", "ts_end", "flow_id", "resolution"}, Settled: "rows"}, {Path: "t"}, {Path: "d", Assigned: "other"}, {Path: "l", Assigned: "other", Columns: []string{"ts", "flow_id", "conn_id"}}}}}
	var page strings.Builder
	for _, cols := range [][]string{{"ts"}, {"ts", "conn_id"}, {"packet_status"}} {
		text, err := RelationSQL(tables.Flows, cols, src)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&page, "== %s\n%s\n", cols, text)
	}
	golden(t, "unsettled.txt", page.String())
}

func TestRelationSQLRefuses(t *testing.T) {
	for _, c := range []struct {
		rel  *tables.Relation
		col  string
		want string
	}{
		{tables.Packets, "ts", "relation packets is not read from row files"},
		{tables.Connections, "src_ip", `relation connections has no column "src_ip"`},
	} {
		if _, err := RelationSQL(c.rel, []string{c.col}, Source{}); err == nil || err.Error() != c.want {
			t.Errorf("%s.%s: error %v, want %s", c.rel.Name, c.col, err, c.want)
		}
	}
}

// Every placeholder names a stored column, and every column of every relation
// has a source.
func TestViewsAreComplete(t *testing.T) {
	for rel, v := range views {
		fields, err := Fields(rel, columnNames(rel))
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{packetStatus: true, evictedAt: true, "kernel_drops": true} // made of more than the row
		for ; v != nil; v = v.also {
			stored := storedTypes(v.row)
			for _, f := range fields {
				_, made := v.exprs[f.Name]
				known[f.Name] = known[f.Name] || made || stored[f.Name] != "" || v.hosts[f.Name] != ""
				if !made && stored[f.Name] != "" && stored[f.Name] != f.Type {
					t.Errorf("%s.%s is %s, stored as %s", rel.Name, f.Name, f.Type, stored[f.Name])
				}
			}
			for name, e := range v.exprs {
				for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(e, -1) {
					if stored[m[1]] == "" {
						t.Errorf("%s.%s uses %s, which is not stored", rel.Name, name, m[1])
					}
				}
			}
		}
		for _, f := range fields {
			if !known[f.Name] {
				t.Errorf("%s.%s comes from nowhere", rel.Name, f.Name)
			}
		}
	}
}

func TestFields(t *testing.T) {
	got, err := Fields(tables.PacketBytes, []string{"ts", "src_ip", "community_id", "flow_id", "frame", "cid"})
	if err != nil {
		t.Fatal(err)
	}
	want := []Field{{"ts", "TIMESTAMP"}, {"src_ip_hi", "UBIGINT"}, {"src_ip_lo", "UBIGINT"}, {"cid", "UBIGINT"},
		{"community_id", "VARCHAR"}, {"flow_id", "UBIGINT"}, {"frame", "BLOB"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
