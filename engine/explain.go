package engine

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/mysql"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables/archive"
)

// EXPLAIN tells what a statement will read, and why that much: it runs what
// finds the packets, but reads none. EXPLAIN ANALYZE runs the statement too.
// All formats give the same lines.

var explainSchema = sql.Schema{{Name: "plan", Type: types.LongText}}

func explainRows(text string) sql.RowIter {
	var rows []sql.Row
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		rows = append(rows, sql.Row{line})
	}
	return sql.RowsToRowIter(rows...)
}

// explain describes a statement.
func (e *Engine) explain(ctx *sql.Context, st *pushdown.Statement, x *sqlparser.ExplainStmt, params Parameters) (string, error) {
	inner := *st
	inner.AST = x.Statement
	s, err := e.compile(ctx, &inner, params)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if s.plan.Scans == nil {
		b.WriteString("it reads no relation of the archive\n")
	}
	err = e.explainPlan(ctx, &b, s, x.Type == sqlparser.AnalyzeType)
	return b.String(), err
}

// explainPlan describes what DuckDB answers.
func (e *Engine) explainPlan(ctx *sql.Context, b *strings.Builder, n *statement, measure bool) error {
	section(b, "normal form", n.plan.Tree)
	for _, note := range n.plan.Notes {
		b.WriteString("note: " + note + "\n")
	}
	section(b, "DuckDB", n.plan.SQL)
	lost, err := e.lost(n.snap, n.plan.Scans)
	if err != nil {
		return err
	}
	for _, text := range append(n.snap.outside(n.plan), lost...) {
		b.WriteString("gap: " + text + "\n")
	}
	r, err := e.newRun(ctx, n)
	if err != nil {
		return err
	}
	defer r.finish()
	err = r.findAll(ctx)
	if err == nil {
		err = r.prepare()
	}
	var refused *mysql.SQLError
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	for i, s := range r.scans {
		fmt.Fprintf(b, "scan %d: %s\n", i, s)
	}
	for _, k := range r.packets {
		if k.by != nil {
			fmt.Fprintf(b, "packets %d: found by: %s\n", k.plan.ID, k.by)
		}
		section(b, fmt.Sprintf("packets %d: keys", k.plan.ID), k.shown)
		for _, s := range k.scans {
			fmt.Fprintf(b, "  %s\n", s)
		}
		if l := k.lookup; l != nil {
			fmt.Fprintf(b, "  index.flows, %d of %d files read, %d left out, %s of %d row groups\n",
				l.Files, k.listed, k.listed-l.Files, byteText(l.Bytes), l.Groups)
		}
		segments, ranges := archive.EstimateFetch(k.keys.refs)
		fmt.Fprintf(b, "packets %d: %d flow rows selected, %d packets in %d segments, %d ranges, about %s to read (limit %s)\n",
			k.plan.ID, len(k.keys.owners), len(k.keys.refs), segments, ranges, byteText(k.bytes), byteText(e.scanLimit(ctx)))
		if !k.plan.Narrow && k.lookup == nil {
			b.WriteString("  nothing narrows them: " + k.plan.Advice + "\n")
		}
	}
	for _, text := range r.gone() {
		b.WriteString("gap: " + text + "\n")
	}
	if err == nil && r.isDirect() {
		b.WriteString("note: the packets found are the result as they are, the DuckDB statement is not run\n")
	}
	if err == nil {
		err = r.admit(ctx)
	}
	if err != nil {
		b.WriteString("refused: ")
		if errors.As(err, &refused) {
			b.WriteString(refused.Message + "\n")
			return nil
		}
		return err
	}
	if measure {
		return e.measure(ctx, b, n)
	}
	return nil
}

// measure runs what DuckDB answers and counts.
func (e *Engine) measure(ctx *sql.Context, b *strings.Builder, n *statement) error {
	start := time.Now()
	it, run, err := e.execute(ctx, n)
	if err != nil {
		return err
	}
	defer it.Close(ctx)
	rows := 0
	for {
		c, err := it.NextChunk(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		rows += c.Len()
	}
	elapsed := time.Since(start)
	fmt.Fprintf(b, "measured: %d rows in %.1f ms\n", rows, float64(elapsed.Microseconds())/1000)
	for _, k := range run.packets {
		if s := k.stats.Load(); s != nil { // nil: a LIMIT came before the end
			fmt.Fprintf(b, "measured: packets %d: %d packets, %s read in %d ranges of %d segments\n",
				k.plan.ID, s.Packets, byteText(s.Bytes), s.Ranges, s.Segments)
		}
	}
	return nil
}

// String says what is read of a relation.
func (s scanRun) String() string {
	name := s.relation.Schema + "." + s.relation.Name
	if len(pushdown.Families(s.relation)) == 0 {
		return name + ", in memory"
	}
	var all familyRun
	var each []string
	for _, f := range s.families {
		all.read, all.files, all.bytes = all.read+f.read, all.files+f.files, all.bytes+f.bytes
		each = append(each, fmt.Sprintf("%s %d of %d", f.family, f.read, f.files))
	}
	text := fmt.Sprintf("%s, %d of %d files read, %d left out, %s", name, all.read, all.files, all.files-all.read, byteText(all.bytes))
	if len(each) > 1 {
		text += " (" + strings.Join(each, ", ") + ")"
	}
	return text
}

// section writes a heading and lines below it.
func section(b *strings.Builder, head, text string) {
	b.WriteString(head + ":\n" + indent(text) + "\n")
}

func indent(s string) string { return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ") }
