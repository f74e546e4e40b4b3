package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
)

// EXPLAIN tells what a statement will read, what its answer lacks and what is
// slow about it: it runs what finds the packets, but reads none. EXPLAIN
// ANALYZE runs the statement too. explanation.go gathers the facts.

// explainSchema is of all formats but TRADITIONAL; the name is MySQL's.
var explainSchema = sql.Schema{{Name: "EXPLAIN", Type: types.LongText}}

// explainColumns is the schema of a format.
func explainColumns(x *pushdown.Explain) sql.Schema {
	if x.Format == "TRADITIONAL" {
		return traditionalSchema
	}
	return explainSchema
}

// Explained is the statement that an EXPLAIN is about, empty when the text is
// none.
func Explained(text string) string {
	if x, err := pushdown.ReadExplain(text); x != nil && err == nil {
		return x.Text
	}
	return ""
}

// explain answers EXPLAIN; handled is false when it is about a statement that
// is no query.
func (e *Engine) explain(ctx *sql.Context, x *pushdown.Explain, params Parameters) (schema sql.Schema, rows sql.RowIter, handled bool, err error) {
	if x.Analyze && x.Format == "TRADITIONAL" {
		return nil, nil, true, functions.Errorf(1235, "This version of wiresql doesn't yet support 'EXPLAIN ANALYZE with TRADITIONAL format'")
	}
	if x.Connection != nil {
		if x.Text, err = runningIn(ctx, *x.Connection); err != nil {
			return nil, nil, true, err
		}
		if x.Text == "" {
			return explainColumns(x), sql.RowsToRowIter(), true, nil
		}
	}
	facts := &explanation{Summary: []string{"nothing of the archive: the server answers from memory"}}
	st, err := e.parse(x.Text)
	switch {
	case err != nil:
		return nil, nil, true, err
	case st != nil:
		s, err := e.compile(ctx, st, params)
		if err != nil {
			return nil, nil, true, err
		}
		if facts, err = e.explained(ctx, s, x.Analyze); err != nil {
			return nil, nil, true, err
		}
	default:
		theirs, err := e.sql.Parser.ParseSimple(x.Text)
		if err != nil || !isQuery(theirs) {
			return nil, nil, false, nil
		}
		if _, err := e.sql.AnalyzeQuery(ctx, x.Text); err != nil {
			return nil, nil, true, err
		}
	}
	out, err := facts.rows(x)
	return explainColumns(x), sql.RowsToRowIter(out...), true, err
}

// runningIn is the text of the query that runs in a connection of the same
// account; empty when none does.
func runningIn(ctx *sql.Context, id uint64) (string, error) {
	unknown := functions.Errorf(1094, "Unknown thread id: %d", id)
	if ctx.ProcessList == nil {
		return "", unknown
	}
	for _, p := range ctx.ProcessList.Processes() {
		if uint64(p.Connection) != id {
			continue
		}
		if p.Query == "" {
			return "", nil
		}
		if st, err := pushdown.Parse(p.Query); err == nil {
			if _, ok := st.AST.(sqlparser.TableStatement); ok {
				return p.Query, nil
			}
		}
		return "", functions.Errorf(1889, "EXPLAIN FOR CONNECTION command is supported only for SELECT/UPDATE/INSERT/DELETE/REPLACE")
	}
	return "", unknown
}

// explained gathers the facts about a statement, and measures it.
func (e *Engine) explained(ctx *sql.Context, s *statement, analyze bool) (*explanation, error) {
	if analyze { // it runs, so it waits for its turn
		place, err := e.admit(ctx, s)
		if err != nil {
			return nil, err
		}
		defer place.end()
	}
	r, err := e.newRun(ctx, s)
	if err != nil {
		return nil, err
	}
	defer r.finish()
	started := time.Now()
	err = r.findAll(ctx)
	found := time.Since(started)
	if err == nil {
		err = r.admit(ctx)
	}
	var refused *functions.SQLError
	if err != nil && (!errors.As(err, &refused) || refused.Number != 1064) {
		return nil, err
	}
	if refused == nil {
		if err := r.prepare(); err != nil {
			return nil, err
		}
	}
	x, err := r.describe()
	if err != nil {
		return nil, err
	}
	if x.Missing, err = r.lacks(); err != nil {
		return nil, err
	}
	if refused != nil {
		x.Refused = refused.Message
		return x, nil
	}
	if analyze {
		x.Actual, err = r.measure(ctx, found)
	}
	return x, err
}

// rows writes an explanation in a format.
func (x *explanation) rows(as *pushdown.Explain) ([]sql.Row, error) {
	switch as.Format {
	case "TRADITIONAL":
		return x.traditional(), nil
	case "JSON":
		var b strings.Builder
		out := json.NewEncoder(&b)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		err := out.Encode(x.document())
		return []sql.Row{{b.String()}}, err
	case "TREE":
		tree := x.Tree
		if tree == nil {
			tree = x.Summary
		}
		return []sql.Row{{strings.Join(tree, "\n") + "\n"}}, nil
	}
	var out []sql.Row
	for _, line := range strings.Split(strings.TrimRight(x.text(), "\n"), "\n") {
		out = append(out, sql.Row{line})
	}
	return out, nil
}

// page writes lines that fit beside the frame of a client's table.
type page struct{ strings.Builder }

// pageWidth is how long a line may be, pageMargin how much of it labels take.
const pageWidth, pageMargin = 96, 9

// fact writes what is said under a label; every line but the first stands
// below the first one's text.
func (p *page) fact(label string, lines ...string) {
	for i, line := range lines {
		if i > 0 {
			label = ""
		}
		for k, part := range wrapped(line, pageWidth-pageMargin) {
			if k > 0 {
				label = ""
			}
			fmt.Fprintf(p, "%-*s%s\n", pageMargin, label, part)
		}
	}
}

// wrapped breaks a line at spaces that are not within quotes. What follows is
// indented further.
func wrapped(line string, width int) []string {
	if utf8.RuneCountInString(line) <= width {
		return []string{line}
	}
	indent := len(line) - len(strings.TrimLeft(line, " "))
	var out []string
	for utf8.RuneCountInString(line) > width {
		cut, column, quoted := -1, 0, false
		for i, c := range line {
			if c == '\'' || c == '"' {
				quoted = !quoted
			}
			if c == ' ' && !quoted && column > indent+4 && (column <= width || cut < 0) {
				cut = i
			}
			if column++; column > width && cut >= 0 {
				break
			}
		}
		if cut < 0 {
			break
		}
		out = append(out, strings.TrimRight(line[:cut], " "))
		line = strings.Repeat(" ", indent+4) + strings.TrimLeft(line[cut:], " ")
	}
	return append(out, line)
}

// text is the explanation for people: what is read first, the SQL last.
func (x *explanation) text() string {
	p := &page{}
	if x.Refused != "" {
		p.fact("refused", x.Refused)
	}
	if x.Answered != "" {
		p.fact("answered", x.Answered)
	}
	lines := slices.Clone(x.Summary)
	for _, t := range x.Tables {
		lines = append(lines, "  "+t.String())
	}
	for _, k := range x.Packets {
		if k.FoundBy == "" {
			continue
		}
		lines = append(lines, fmt.Sprintf("  %s: found by %s; in %s, limit %s", k.Table, k.FoundBy, quantity(int64(k.Ranges), "range"), byteText(k.Limit)))
	}
	p.fact("reads", lines...)
	p.fact("missing", x.Missing...)
	for i, s := range x.Slow {
		label := ""
		if i == 0 {
			label = "slow"
		}
		p.fact(label, s.What)
		if s.Advice != "" {
			p.fact("", s.Advice)
		}
	}
	p.fact("note", x.Notes...)
	if x.Actual != nil {
		p.fact("actual", x.Actual.lines()...)
	}
	p.fact("tree", x.Tree...)
	for _, k := range x.Packets {
		p.fact("keys", k.Keys...)
	}
	p.fact("sql", x.SQL...)
	return p.String()
}

// String says what a step reads.
func (t tableRead) String() string {
	s := t.Table
	if t.Why != "" {
		s += ", " + t.Why
	}
	if t.InMemory {
		return s + ": in memory"
	}
	s += fmt.Sprintf(": %s of %s", grouped(int64(t.Files)), quantity(int64(t.AllFiles), "file"))
	if t.Families != "" {
		s += " (" + t.Families + ")"
	}
	if t.Older > 0 {
		s += fmt.Sprintf(", %s without checksums", grouped(int64(t.Older)))
	}
	if t.Looked {
		return s + fmt.Sprintf(", %s looked up, %s", quantity(t.Rows, "row"), byteText(t.Bytes))
	}
	return s + fmt.Sprintf(", %s, %s of %s", quantity(t.Rows, "row"), byteText(t.Bytes), byteText(t.OfBytes))
}

// actual is what running a statement took.
type actual struct {
	Rows        int64      `json:"rows"`
	MS          float64    `json:"ms"`
	FindMS      float64    `json:"find_ms"`
	Packets     int64      `json:"packets"`
	PacketBytes int64      `json:"packet_bytes"`
	FileBytes   int64      `json:"file_bytes"`
	Operators   []operator `json:"operators,omitempty"`
}

// operator is a step of DuckDB's plan as it was run.
type operator struct {
	Depth   int     `json:"depth"`
	Name    string  `json:"name"`
	Rows    int64   `json:"rows"`
	Scanned int64   `json:"scanned,omitempty"`
	MS      float64 `json:"ms"`
}

// measure runs what was described.
func (r *run) measure(ctx *sql.Context, found time.Duration) (*actual, error) {
	a := &actual{FindMS: milliseconds(found)}
	w := workOf(ctx)
	for _, k := range r.packets {
		w.flowRows.Add(int64(k.rows))
		w.wanted.Add(k.fetch.Packets)
	}
	w.at(stageSending)
	started := time.Now()
	if r.isDirect() {
		feed, err := r.feed(r.packets[0], directBatch)
		if err != nil {
			return nil, err
		}
		out, err := r.direct(feed)
		if err != nil {
			return nil, err
		}
		defer out.packets.close()
		for {
			c, err := out.NextChunk(ctx)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			a.Rows += int64(c.Len())
		}
	} else if err := r.profile(ctx, a); err != nil {
		return nil, err
	}
	a.MS = milliseconds(time.Since(started) + found)
	for _, k := range r.packets {
		if s := k.stats.Load(); s != nil {
			a.Packets += s.Packets
			a.PacketBytes += s.Bytes
		}
	}
	a.FileBytes = w.fileBytes.Load()
	return a, r.ended()
}

// duckProfile is what DuckDB writes of a statement it ran.
type duckProfile struct {
	Name     string         `json:"operator_name"`
	Rows     int64          `json:"operator_cardinality"`
	Scanned  int64          `json:"operator_rows_scanned"`
	Seconds  float64        `json:"operator_timing"`
	Children []*duckProfile `json:"children"`
}

// profile lets DuckDB run a statement and tell of it.
func (r *run) profile(ctx *sql.Context, a *actual) error {
	r.readAll()
	cur, err := r.engine.duck.query(ctx, "EXPLAIN (ANALYZE, FORMAT json) "+r.text)
	if err != nil {
		return err
	}
	defer cur.close()
	for {
		view, err := cur.next()
		if err != nil {
			return err
		}
		if view == nil {
			return nil
		}
		for row := range view.n {
			var p duckProfile
			if err := json.Unmarshal(view.vectors[1].bytes(row), &p); err != nil {
				continue // the other kinds of plans
			}
			for len(p.Children) == 1 && (p.Name == "" || p.Name == "EXPLAIN_ANALYZE") {
				p = *p.Children[0]
			}
			a.Rows = p.Rows
			a.add(&p, 0)
		}
	}
}

// maxProfiled bounds the steps that are listed.
const maxProfiled = 200

func (a *actual) add(p *duckProfile, depth int) {
	if len(a.Operators) >= maxProfiled {
		return
	}
	name := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(p.Name), "_", " "))
	if strings.EqualFold(p.Name, feedFunction) {
		name = "read packets"
	}
	if p.Name == "PROJECTION" && len(p.Children) == 1 && milliseconds(time.Duration(p.Seconds*1e9)) == 0 {
		a.add(p.Children[0], depth) // it only passes columns on
		return
	}
	a.Operators = append(a.Operators, operator{depth, name, p.Rows, p.Scanned, milliseconds(time.Duration(p.Seconds * 1e9))})
	for _, c := range p.Children {
		a.add(c, depth+1)
	}
}

func milliseconds(d time.Duration) float64 {
	ms, _ := strconv.ParseFloat(strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64), 64)
	return ms
}

func (a *actual) lines() []string {
	read := byteText(a.FileBytes) + " of row files"
	if a.Packets > 0 {
		read = fmt.Sprintf("%s of %s, %s", byteText(a.PacketBytes), quantity(a.Packets, "packet"), read)
	}
	out := []string{fmt.Sprintf("%s in %.1f ms, of which %.1f to find packets; read: %s", quantity(a.Rows, "row"), a.MS, a.FindMS, read)}
	for _, o := range a.Operators {
		line := fmt.Sprintf("%s%s: %s, %.1f ms", strings.Repeat("  ", o.Depth+1), o.Name, quantity(o.Rows, "row"), o.MS)
		if o.Scanned > 0 {
			line += fmt.Sprintf(", %s scanned", grouped(o.Scanned))
		}
		out = append(out, line)
	}
	return out
}
