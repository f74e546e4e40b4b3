package engine

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/planbuilder"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables/archive"
)

// EXPLAIN tells what a statement will read, and why that much: it runs what
// finds the packets, but reads none. EXPLAIN ANALYZE runs the statement too.
// All formats give the same lines.

// formatJSON finds the one format whose name the parser takes for a type.
var formatJSON = regexp.MustCompile(`(?i)^(\s*(?:explain|describe|desc)\s+(?:extended\s+)?format\s*=\s*)json\b`)

// explainText writes a format that the parser knows instead; positions stay.
func explainText(query string) string { return formatJSON.ReplaceAllString(query, "${1}tree") }

// explainFormat turns any EXPLAIN into the one form explainer answers. The
// planner knows no FORMAT but tree; for ANALYZE it would read the rows and
// leave them open, so the wish travels as "estimates".
func explainFormat(stmt sqlparser.Statement) {
	e, ok := stmt.(*sqlparser.Explain)
	if !ok {
		return
	}
	switch strings.ToLower(e.ExplainFormat) {
	case "", "tree", "traditional", "json":
		e.ExplainFormat = "tree"
	default:
		return // the planner's error names the format
	}
	if e.Plan = true; e.Analyze {
		e.Analyze, e.ExplainFormat = false, "tree_estimates"
	}
}

// explainer executes EXPLAIN and SHOW STATUS; all other nodes it leaves alone.
type explainer struct{ engine *Engine }

// Build implements sql.NodeExecBuilder.
func (x explainer) Build(ctx *sql.Context, n sql.Node, _ sql.Row) (sql.RowIter, error) {
	if s, ok := n.(*plan.ShowStatus); ok {
		return x.engine.status(ctx, s)
	}
	d, ok := n.(*plan.DescribeQuery)
	if !ok {
		return nil, nil
	}
	text, err := x.engine.explain(ctx, d)
	if err != nil {
		return nil, err
	}
	var rows []sql.Row
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		rows = append(rows, sql.Row{line})
	}
	return sql.RowsToRowIter(rows...), nil
}

// explain describes a statement that has been analysed.
func (e *Engine) explain(ctx *sql.Context, d *plan.DescribeQuery) (string, error) {
	var b strings.Builder
	var pushed []*pushedNode
	find := func(n sql.Node) bool {
		switch n := n.(type) {
		case *pushedNode:
			pushed = append(pushed, n)
		case *plan.ResolvedTable:
			if t, ok := n.UnderlyingTable().(*narrowed); ok {
				pushed = append(pushed, t.node)
			}
		}
		return true
	}
	transform.Inspect(d.Query(), find)
	switch reason := e.refusal(ctx); {
	case len(pushed) == 1 && reason == "":
		b.WriteString("pushed down: DuckDB answers the whole statement\n")
	case len(pushed) > 0:
		b.WriteString("pushed down in part; the rest is left to go-mysql-server: " + reason + "\n")
	default:
		if reason == "" {
			reason = "it reads no relation of the archive"
		}
		b.WriteString("not pushed down, go-mysql-server reads each relation whole: " + reason + "\n")
	}
	if _, whole := d.Query().(*pushedNode); !whole {
		section(&b, "plan of go-mysql-server", sql.Describe(d.Query(), sql.DescribeOptions{}))
	}
	for _, p := range pushed {
		if err := e.explainPushed(ctx, &b, p, d.Format.Estimates); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// refusal is why the statement of ctx, an EXPLAIN, is not pushed down as a
// whole; empty when it is. What the analyzer refused is gone by now, so the
// question is put again.
func (e *Engine) refusal(ctx *sql.Context) string {
	if pushdownOff(ctx) {
		return "wiresql_pushdown is off"
	}
	bound, _, _, _, err := planbuilder.New(ctx, e.sql.Analyzer.Catalog, nil, e.sql.Parser).Parse(ctx.Query(), nil, false)
	if err != nil {
		return "its text can't be read again: " + err.Error() // a prepared statement's, with parameters
	}
	d, ok := bound.(*plan.DescribeQuery)
	if !ok || !e.concerns(d.Query()) {
		return ""
	}
	rewritten, err := pushdown.Rewrite(ctx, d.Query())
	if err != nil {
		return err.Error()
	}
	snap, err := e.snapshot(ctx)
	if err != nil {
		return err.Error()
	}
	if _, err = pushdown.Compile(ctx, rewritten, snap.env()); err != nil {
		return err.Error()
	}
	return ""
}

// explainPushed describes what DuckDB answers.
func (e *Engine) explainPushed(ctx *sql.Context, b *strings.Builder, n *pushedNode, measure bool) error {
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
func (e *Engine) measure(ctx *sql.Context, b *strings.Builder, n *pushedNode) error {
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
