package pushdown

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/planbuilder"
	"github.com/dolthub/go-mysql-server/sql/variables"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// testCatalog is the relations without rows.
func testCatalog(t *testing.T) (*sql.Context, *analyzer.Analyzer) {
	t.Helper()
	variables.InitSystemVariables()
	dbs := map[string]*memory.Database{}
	for _, rel := range tables.Relations {
		db := dbs[rel.Schema]
		if db == nil {
			db = memory.NewDatabase(rel.Schema)
			db.EnablePrimaryKeyIndexes()
			dbs[rel.Schema] = db
		}
		var schema sql.Schema
		for _, c := range rel.Columns {
			schema = append(schema, &sql.Column{Name: c.Name, Type: functions.TypeOf(c), Nullable: !c.NotNull,
				Source: rel.Name, DatabaseSource: rel.Schema})
		}
		db.AddTable(rel.Name, memory.NewTable(db.BaseDatabase, rel.Name, sql.NewPrimaryKeySchema(schema), nil))
	}
	pro := memory.NewDBProvider(dbs[tables.Main], dbs[tables.Ops])
	session := memory.NewSession(sql.NewBaseSession(), pro)
	ctx := sql.NewContext(t.Context(), sql.WithSession(session))
	ctx.SetQueryTime(time.Date(2026, 6, 12, 10, 30, 0, 0, time.UTC))
	ctx.SetCurrentDatabase(tables.Main)
	a := analyzer.NewDefault(pro)
	a.Catalog.RegisterFunction(ctx, functions.GMS()...)
	return ctx, a
}

func bind(ctx *sql.Context, a *analyzer.Analyzer, query string) (sql.Node, error) {
	b := planbuilder.New(ctx, a.Catalog, nil, nil)
	n, _, _, _, err := b.Parse(query, nil, false)
	return n, err
}

// compilePage compiles each statement of a file of statements and writes what
// comes out after it.
func compilePage(t *testing.T, text string) string {
	ctx, a := testCatalog(t)
	env := testEnv()
	env.AllPackets = true
	var page strings.Builder
	for _, query := range statements(text) {
		fmt.Fprintf(&page, "%s\n----\n", query)
		n, err := bind(ctx, a, query)
		if err != nil {
			fmt.Fprintf(&page, "planner: %v\n\n", err)
			continue
		}
		if n, err = Rewrite(ctx, n); err != nil {
			fmt.Fprintf(&page, "error %s\n\n", errorText(err))
			continue
		}
		if err = Check(ctx, n); err != nil {
			fmt.Fprintf(&page, "error %s\n\n", errorText(err))
			continue
		}
		p, err := Compile(ctx, n, env)
		if err != nil {
			fmt.Fprintf(&page, "refused: %v\n\n", err)
			continue
		}
		fmt.Fprintf(&page, "%s%s\n", p.Tree, p.SQL)
		for _, s := range p.Scans {
			if text := boundsText(s.Bounds); text != "" {
				fmt.Fprintf(&page, "-- scan %d:%s\n", s.ID, text)
			}
		}
		for _, k := range p.Packets {
			fmt.Fprintf(&page, "-- packets %d%s%s\n", k.ID, boundsText(Bounds{From: k.From, To: k.To}), advice(k))
			query := func(name string, q Query) {
				fmt.Fprintf(&page, "-- %s:\n%s\n", name, q.SQL)
				for _, s := range q.Scans {
					fmt.Fprintf(&page, "-- scan %d %s %v%s\n", s.ID, s.Relation.Name, s.Columns, boundsText(s.Bounds))
				}
			}
			query("keys", k.Keys)
			if k.Source != nil {
				query("source", *k.Source)
				query("keys by "+k.KeyColumn, k.ByKey)
			}
		}
		for _, q := range p.Sampled {
			fmt.Fprintf(&page, "-- sampled:\n%s\n", q.SQL)
			for _, s := range q.Scans {
				fmt.Fprintf(&page, "-- scan %d %s %v%s\n", s.ID, s.Relation.Name, s.Columns, boundsText(s.Bounds))
			}
		}
		if len(p.Packets) > 0 && !p.Bounds.Timeless() {
			fmt.Fprintf(&page, "-- asks about%s\n", boundsText(p.Bounds))
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
	ctx, a := testCatalog(t)
	n, err := bind(ctx, a, "SELECT dst_port, COUNT(*) FROM packets GROUP BY dst_port")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(ctx, n, testEnv())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Packets) != 1 || !strings.Contains(p.SQL, "{{packets 0}}") {
		t.Errorf("counted without reading packets:\n%s", p.SQL)
	}
}

func errorText(err error) string {
	e := sql.CastSQLError(err)
	return fmt.Sprintf("%d: %s", e.Num, e.Message)
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
	return Env{Hosts: hosts, HostsLike: func(match func(string) bool) []tables.Lease {
		var out []tables.Lease
		for _, name := range []string{"gavin.reid-machine", "roaming"} {
			if match(name) {
				out = append(out, hosts(name)...)
			}
		}
		return out
	}}
}
