package pushdown

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"vitess.io/vitess/go/sqltypes"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// testSession is a session of the schema wiresql at a fixed time.
type testSession struct{ functions functions.Session }

func (s *testSession) Database() string                             { return tables.Main }
func (s *testSession) Functions() *functions.Session                { return &s.functions }
func (s *testSession) SetUserVariable(string, sqltypes.Value) error { return nil }
func (s *testSession) UserVariable(name string) (any, error) {
	return map[string]any{"port": int64(443), "since": "2026-06-12 10:00"}[name], nil
}
func (s *testSession) Parameter(string) (any, bool)                     { return nil, false }
func (s *testSession) May(string, string) error                         { return nil }
func (s *testSession) Capture([]tables.ID) ([]byte, error)              { return nil, nil }
func (s *testSession) Content(string, []tables.ID) ([]byte, error)      { return nil, nil }
func (s *testSession) Follow([]tables.ID) ([]byte, error)               { return nil, nil }
func (s *testSession) Foreign(string, string) (*tables.Relation, error) { return nil, nil }
func (s *testSession) Schemas() []string                                { return []string{tables.Main, tables.Ops} }
func (s *testSession) Info(name string) (any, bool) {
	v, ok := map[string]any{"database": tables.Main, "connection_id": uint64(1)}[name]
	return v, ok
}
func (s *testSession) Variable(_, name string) (any, error) {
	switch name {
	case "group_concat_max_len":
		return int64(1024), nil
	case "cte_max_recursion_depth":
		return int64(1000), nil
	}
	return nil, fmt.Errorf("no variable %s", name)
}

func newTestSession() *testSession {
	return &testSession{functions.Session{Now: time.Date(2026, 6, 12, 10, 30, 0, 0, time.UTC), SQLMode: "ONLY_FULL_GROUP_BY"}}
}

func compileText(t *testing.T, query string, env Env) (*Plan, error) {
	t.Helper()
	st, err := Parse(query)
	if err != nil {
		return nil, err
	}
	env.Session = newTestSession()
	return Compile(t.Context(), st, env)
}

// compilePage compiles each statement of a file of statements and writes what
// comes out after it.
func compilePage(t *testing.T, text string) string {
	env := testEnv()
	env.AllPackets = true
	var page strings.Builder
	for _, query := range statements(text) {
		fmt.Fprintf(&page, "%s\n----\n", query)
		p, err := compileText(t, query, env)
		if err != nil {
			fmt.Fprintf(&page, "error %s\n\n", errorText(err))
			continue
		}
		fmt.Fprintf(&page, "%s%s\n", p.Tree, p.SQL)
		for _, s := range p.Scans {
			if text := boundsText(s.Bounds); text != "" {
				fmt.Fprintf(&page, "-- scan %d:%s\n", s.ID, text)
			}
		}
		query := func(name string, q Query) {
			fmt.Fprintf(&page, "-- %s:\n%s\n", name, q.Shown())
			for _, s := range q.Scans {
				fmt.Fprintf(&page, "-- scan %d %s %v%s\n", s.ID, s.Relation.Name, s.Columns, boundsText(s.Bounds))
			}
		}
		for _, k := range p.Packets {
			fmt.Fprintf(&page, "-- packets %d%s%s\n", k.ID, boundsText(Bounds{From: k.From, To: k.To}), advice(k))
			query("keys", k.Keys)
			if k.Source != nil {
				query("source", *k.Source)
				query("keys by "+k.KeyColumn, k.ByKey)
			}
		}
		for _, q := range p.Sampled {
			query("sampled", q)
		}
		if len(p.Packets) > 0 && !p.Bounds.Timeless() {
			fmt.Fprintf(&page, "-- asks about%s\n", boundsText(p.Bounds))
		}
		if p.Answered != "" {
			fmt.Fprintf(&page, "-- answered %s\n", p.Answered)
		}
		for _, note := range p.Notes {
			fmt.Fprintf(&page, "-- note: %s\n", note)
		}
		for _, c := range p.Columns {
			fmt.Fprintf(&page, "-- %s %s\n", c.Name, c.Type)
		}
		page.WriteByte('\n')
	}
	return page.String()
}

// boundsText writes what is bounded.
func boundsText(b Bounds) string {
	text := ""
	if b.From == MaxTime && b.To == MinTime {
		return " nothing"
	}
	if b.From != MinTime {
		text += " from " + quoteTime(b.From)[11:37]
	}
	if b.To != MaxTime {
		text += " to " + quoteTime(b.To)[11:37]
	}
	for _, family := range b.Without {
		text += " without " + family
	}
	for _, list := range b.Equal {
		for i, e := range list {
			text += [...]string{" or", " has"}[map[bool]int{false: 0, true: 1}[i == 0]] + fmt.Sprintf(" %s %d", e.Column, e.Value)
		}
	}
	return text
}

func advice(k *PacketPlan) string {
	if k.Narrow {
		return ""
	}
	return " everything: " + k.Advice
}

// statements takes the statements out of a page: paragraphs up to their ----.
func statements(text string) []string {
	var out []string
	var cur []string
	answer := false
	for _, line := range append(strings.Split(text, "\n"), "") {
		switch {
		case line == "":
			if len(cur) > 0 {
				out = append(out, strings.Join(cur, "\n"))
			}
			cur, answer = nil, false
		case line == "----":
			answer = true
		case !answer:
			cur = append(cur, line)
		}
	}
	return out
}

// Every page of testdata/plans: a statement, ----, its plan. Add a statement
// and run with -rewrite.
func TestPlans(t *testing.T) {
	pages, err := filepath.Glob("testdata/plans/*.txt")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages", err)
	}
	for _, page := range pages {
		t.Run(filepath.Base(page), func(t *testing.T) {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("plans", filepath.Base(page)), compilePage(t, string(text)))
		})
	}
}

// Counters of flow rows include packets that can no longer be read.
func TestNoRollUpWhenPacketsAreGone(t *testing.T) {
	p, err := compileText(t, "SELECT dst_port, COUNT(*) FROM packets GROUP BY dst_port", testEnv())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Packets) != 1 || !strings.Contains(p.SQL, "{{packets 0}}") {
		t.Errorf("counted without reading packets:\n%s", p.SQL)
	}
}

func errorText(err error) string {
	var e *functions.SQLError
	if errors.As(err, &e) {
		return fmt.Sprintf("%d: %s", e.Number, e.Message)
	}
	return err.Error()
}

// testEnv knows two hosts, one of which moved to another address and site.
func testEnv() Env {
	addr := func(s string) tables.Addr { a, _ := tables.ParseAddr(s); return a }
	hosts := func(n string) []tables.Lease {
		switch n {
		case "gavin.reid-machine":
			return []tables.Lease{{Name: n, Addr: addr("10.0.0.5"), TS: 1781251200000000, TSEnd: 1781264700000000}}
		case "roaming":
			return []tables.Lease{{Name: n, Addr: addr("10.0.0.5"), TS: 1781251200000000, TSEnd: 1781264700000000},
				{Name: n, Addr: addr("2001:db8::5"), TS: 1781264700000000, TSEnd: tables.OpenEnd, Site: "berlin"}}
		}
		return nil
	}
	return Env{HoursFrom: MinTime, Hosts: hosts, HostsLike: func(match func(string) bool) []tables.Lease {
		var out []tables.Lease
		for _, name := range []string{"gavin.reid-machine", "roaming"} {
			if match(name) {
				out = append(out, hosts(name)...)
			}
		}
		return out
	}}
}
