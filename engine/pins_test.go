package engine

import (
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// What is pinned stays until it is not any more, and nothing else does.
func TestPins(t *testing.T) {
	r := &archive.Retention{}
	a := hours(t, r)
	*r = archive.Retention{PacketsBytes: 1, FlowsBytes: 1, ConnectionsBytes: 1}
	reader, err := archive.Open(a.Dir(), archive.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	e, err := New(DefaultConfig(), reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, c := range []struct{ text, says string }{
		{"CALL pin('case-17', 'c.client_ip = ''10.0.0.3''', '2026-06-12 11:00', '2026-06-12 12:00')", ""},
		{"CALL wiresql.PIN('case-17', 'server_ip = ''1.2.3.4''', '2026-06-12 11:00', '2026-06-12 12:00')", "no conversation matches: nothing is pinned"},
		{"CALL pin('x', '1 = 1) ORDER BY (1', '2026-06-12', '2026-06-13')", "one expression over connections"},
		{"CALL pin('x', 'nothing = 1', '2026-06-12', '2026-06-13')", "nothing"},
		{"CALL pin('x', 'a = ', '2026-06-12', '2026-06-13')", "You have an error in your SQL syntax"},
		{"CALL pin('x', '1 = 1', 'yesterday', '2026-06-13')", "yesterday"},
		{"CALL pin('x', '1 = 1')", "Incorrect number of arguments for PROCEDURE wiresql.pin; expected 4, got 2"},
		{"CALL pin(NULL, '1 = 1', '2026-06-12', '2026-06-13')", "Incorrect arguments to pin: argument 1 is NULL"},
		{"CALL nothing()", "PROCEDURE wiresql.nothing does not exist"},
		{"CALL mysql.pin('x')", "PROCEDURE mysql.pin does not exist"},
		{"CALL unpin('case-18')", "nothing is pinned for case 'case-18'"},
	} {
		if _, said := answer(t, e, c.text); (said == "") != (c.says == "") || !strings.Contains(said, c.says) {
			t.Errorf("%s: says %q, want %q", c.text, said, c.says)
		}
	}
	if got, _ := answer(t, e, "SELECT case_name, family, segment, files, predicate, HOUR(ts), HOUR(ts_end) FROM ops.pins ORDER BY family"); got !=
		"[[case-17 connections <nil> import-main 2 to 2 c.client_ip = '10.0.0.3' 11 12] [case-17 flows <nil> import-main 2 to 2 c.client_ip = '10.0.0.3' 11 12] [case-17 packets 2 <nil> c.client_ip = '10.0.0.3' 11 12]]" {
		t.Error(got)
	}
	left := func(want string) {
		t.Helper()
		if _, err := a.Evict(); err != nil {
			t.Fatal(err)
		}
		reader.Refresh()
		got, _ := answer(t, e, "SELECT HOUR(c.ts), COUNT(*) FROM connections c JOIN packets p USING (conn_id) GROUP BY 1 ORDER BY 1")
		if got != want {
			t.Errorf("left are %s, want %s", got, want)
		}
	}
	left("[[11 10]]")
	if _, said := answer(t, e, "CALL pin('late', '1 = 1', '2026-06-12', '2026-06-13')"); !strings.Contains(said, "20 rows of connections") {
		t.Errorf("a pin of what is gone in part says %q", said)
	}
	s := e.NewSession()
	for _, text := range []string{"PREPARE u FROM 'CALL unpin(?)'", "SET @late = 'late'", "EXECUTE u USING @late", "CALL unpin('case-17')"} {
		r, err := s.Query(t.Context(), text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if _, err := r.All(); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	left("[]")
}

// TestEveryRowOfAConversationIsPinned: a family whose rows say whose they are is
// one that pins keep.
func TestEveryRowOfAConversationIsPinned(t *testing.T) {
	for _, f := range tables.Families {
		_, says := f.Row.FieldByName("ConnID")
		switch family := archive.Family(f.Name); {
		case !says || f.Of != "" || f.Name == "carried": // what compaction alone reads
		case family == archive.Flows, family == archive.Connections, family == archive.Exports:
		case conversationsOf[family] == nil:
			t.Errorf("CALL pin passes over rows of %s", f.Name)
		}
	}
}
