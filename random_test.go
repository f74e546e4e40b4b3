package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
)

var (
	randomSeed  = flag.Uint64("random.seed", 1, "first seed of TestRandomStatements")
	randomCount = flag.Int("random.statements", 3000, "how many statements TestRandomStatements makes")
	randomShown = flag.Int("random.shown", 20, "how many differing statements are shrunk and printed")
)

// explanations are the differences between MariaDB 10.11 and MySQL 8 that random
// statements meet, each with what settles it. Those without a test are kept
// out by the grammar, or by what MariaDB is asked instead (node.maria).
var explanations = []struct {
	what, manual string
	applies      func(statement string, want, got answer) bool
}{
	{"a DECIMAL has at most 30 digits behind the point, in MariaDB 38", "MySQL 14.24.2", func(_ string, want, _ answer) bool {
		for _, typ := range want.types {
			var p, s int
			if _, err := fmt.Sscanf(typ, "DECIMAL(%d,%d)", &p, &s); err == nil && s > 30 {
				return true
			}
		}
		return false
	}},
	{"a TIME is at most 838:59:59.000000, in MariaDB .999999", "MySQL 13.2.3", func(_ string, want, _ answer) bool {
		const past = "838:59:59.9"
		return anyCell(want, past) || anyCell(want, fmt.Sprintf("%X", past))
	}},
	{"AVG OVER and SUM(DISTINCT) have room for their argument: MariaDB cuts that of functions at 99999.9999", "MySQL 14.19.1", func(statement string, want, _ answer) bool {
		return (strings.Contains(statement, "AVG(") && strings.Contains(statement, "OVER") || strings.Contains(statement, "(DISTINCT ")) && anyCell(want, "9.9999")
	}},
	{"a DECIMAL zero has no sign, in MariaDB -5 % 0.5 is -0.0: sameCell", "MySQL 14.24.2", nil},
	{"REPLACE with a NULL is NULL, in MariaDB only where it replaces", "MySQL 14.8", nil},
	{"LAG and LEAD have a default value, RANGE frames over times take an INTERVAL", "MySQL 14.20.1, 14.20.3", nil},
	{"a quotient carries digits that are not shown, which MariaDB drops where it keeps one: questioner.quotients", "MySQL 14.24.2", nil},
	{"names have letters past ASCII in the order of code points, in MariaDB as or beside the letter without its accent", "docs/sql.md", func(statement string, _, _ answer) bool {
		return strings.ContainsFunc(statement, func(r rune) bool { return r > unicode.MaxASCII }) &&
			orders.MatchString(statement)
	}},
	{"CUME_DIST, PERCENT_RANK, STDDEV, VARIANCE and kin are whole doubles, in MariaDB of 4 or 10 digits", "MySQL 14.19.1, 14.20.1", nil},
	{"TIME_TO_SEC is an integer", "MySQL 14.7", nil},
	{"fractions of seconds are rounded, in MariaDB as told by sql_mode", "MySQL 13.2.6", nil},
	{"GREATEST and LEAST compare numbers beside text as text", "MySQL 14.4.2", nil},
	{"an alias of an aggregate may stand in an expression of ORDER BY", "MySQL 15.2.13", nil},
	{"ORDER BY may stand beside WITH ROLLUP", "MySQL 14.19.2", nil},
	{"text that is no time is an error beside a time (1525), in MariaDB a warning", "MySQL 13.2.2", nil},
}

// orders matches what depends on the order of values, and what LIKE finds equal.
var orders = regexp.MustCompile(`[<>]|ORDER BY|BETWEEN|LIKE|MAX|MIN|GREATEST|LEAST`)

// anyCell reports whether a value of an answer has a text in it.
func anyCell(a answer, part string) bool {
	for _, row := range a.rows {
		for _, c := range row {
			if strings.Contains(c.String, part) {
				return true
			}
		}
	}
	return false
}

// TestRandomStatements asks MariaDB and wiresql the same statements, made
// from seeds, and shrinks what differs.
func TestRandomStatements(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	o := newOracle(t, "observers")
	r := &randomRun{oracle: o, shapes: map[string]int{}}
	seeds := make(chan uint64)
	var wg sync.WaitGroup
	for range 2 {
		q := o.another(t)
		wg.Go(func() {
			for seed := range seeds {
				r.try(q, seed)
			}
		})
	}
	started := time.Now()
	for i := range uint64(*randomCount) {
		seeds <- *randomSeed + i
	}
	close(seeds)
	wg.Wait()

	t.Logf("%d statements in %v: %d compared, %d refused by MariaDB, %d depend on the order of rows, %d explained, %d differ (%d refused, %d not in time)",
		*randomCount, time.Since(started).Round(time.Second), r.compared, r.refused, r.indefinite, r.explained, len(r.differing), r.unanswered, r.late)
	for shape, n := range r.shapes {
		t.Logf("%s: %d differ", shape, n)
	}
	if r.compared < *randomCount*8/10 {
		t.Errorf("only %d of %d statements could be compared", r.compared, *randomCount)
	}
	q := o.another(t)
	for i, d := range r.differing {
		if i == *randomShown {
			t.Errorf("and %d more", len(r.differing)-i)
			break
		}
		t.Errorf("seed %d (%s): %s", d.seed, d.shape, q.shrink(d.seed))
	}
}

type randomRun struct {
	oracle *oracle
	sync.Mutex
	compared, refused, indefinite, explained, unanswered, late int
	differing                                                  []differing
	shapes                                                     map[string]int
}

type differing struct {
	seed  uint64
	shape string
}

// try asks a seed's statement.
func (r *randomRun) try(q *questioner, seed uint64) {
	s := randomStatement(seed)
	v := q.compare(s)
	r.Lock()
	defer r.Unlock()
	switch {
	case v.refused:
		r.refused++
		return
	case v.indefinite:
		r.indefinite++
		return
	case v.explained:
		r.explained++
		return
	}
	r.compared++
	if v.diff == "" {
		return
	}
	r.shapes[s.shape]++
	r.differing = append(r.differing, differing{seed, s.shape})
	if v.err {
		r.unanswered++
	}
	if v.late {
		r.late++
	}
}

// questioner is one worker's connections.
type questioner struct {
	maria, reversed *sql.Conn
	wire            *sql.DB
}

func (o *oracle) another(t *testing.T) *questioner {
	t.Helper()
	return &questioner{connection(t, o.db, "wiresql"), connection(t, o.db, "reversed"), o.served}
}

// verdict is what comes of a comparison.
type verdict struct {
	refused, indefinite, explained, err, late bool
	diff                                      string
}

func (q *questioner) compare(s *statement) verdict {
	text, mariaText := s.text(false), s.text(true)
	want := ask(q.maria, mariaText)
	if want.err != nil && want.number() != 1690 {
		return verdict{refused: true}
	}
	started := time.Now()
	got := ask(q.wire, text)
	if text != mariaText && len(got.names) == len(want.names) {
		copy(got.names, want.names)
	}
	diff := differs(want, got, s.ordered)
	if diff == "" {
		return verdict{}
	}
	if differs(want, ask(q.reversed, mariaText), s.ordered) != "" {
		return verdict{indefinite: true}
	}
	for _, e := range explanations {
		if e.applies != nil && e.applies(text, want, got) {
			return verdict{explained: true}
		}
	}
	if got.err == nil && strings.Contains(text, " / ") && q.quotients(s) {
		return verdict{explained: true}
	}
	return verdict{diff: diff, err: got.err != nil, late: time.Since(started) >= statementLimit}
}

// quotients tells whether both say the same where quotients show all the digits
// they carry.
func (q *questioner) quotients(s *statement) bool {
	ctx := context.Background()
	ours, err := q.wire.Conn(ctx)
	if err != nil {
		return false
	}
	defer ours.Close() // and with it the session
	_, errOurs := ours.ExecContext(ctx, "SET div_precision_increment = 9")
	_, errMaria := q.maria.ExecContext(ctx, "SET div_precision_increment = 9")
	defer q.maria.ExecContext(ctx, "SET div_precision_increment = DEFAULT")
	want, got := ask(q.maria, s.root.text(true)), ask(ours, s.text(false))
	if errors.Join(errOurs, errMaria, want.err, got.err) != nil {
		return false
	}
	want.names = got.names
	return differs(want, got, s.ordered) == ""
}

// shrinkSteps bounds the questions shrinking asks.
const shrinkSteps = 300

// shrink leaves out of a seed's statement what it can while the two still
// differ in the same manner, and tells the rest.
func (q *questioner) shrink(seed uint64) string {
	s := randomStatement(seed)
	first := q.compare(s)
	if first.diff == "" {
		return "differs no more: " + s.text(false)
	}
	steps := 0
	still := func() bool {
		steps++
		v := q.compare(s)
		return v.diff != "" && v.err == first.err && !v.late
	}
	for changed := !first.late; changed && steps < shrinkSteps; {
		changed = false
		s.root.walk(func(n *node) bool {
			if steps >= shrinkSteps {
				return false
			}
			if n.optional {
				if n.dropped = true; still() {
					changed = true
					return false
				}
				n.dropped = false
			}
			for _, simpler := range n.simpler() {
				if n.instead = simpler; still() {
					changed = true
					return true
				}
				n.instead = nil
			}
			return true
		})
	}
	text := s.text(false)
	if other := s.text(true); other != text {
		text += "\nMariaDB was asked: " + other
	}
	return text + "\n" + q.compare(s).diff
}

// node is a piece of a statement, a tree so that it can be shrunk: the text of
// its format with its parts in place of %s.
type node struct {
	kind     kind
	format   string
	maria    string // what MariaDB is asked instead
	order    []int  // of parts in that, where it is another
	parts    []*node
	separate string // parts are a list, with this between them
	optional bool   // can be left out
	dropped  bool
	instead  *node // what it was shrunk to
}

func (n *node) text(maria bool) string {
	if n.dropped {
		return ""
	}
	if n.instead != nil {
		return n.instead.text(maria)
	}
	if n.separate != "" {
		var parts []string
		for _, p := range n.parts {
			if text := p.text(maria); text != "" {
				parts = append(parts, text)
			}
		}
		return strings.Join(parts, n.separate)
	}
	format := n.format
	if maria && n.maria != "" {
		format = n.maria
	}
	if len(n.parts) == 0 {
		return format
	}
	var b strings.Builder
	parts := n.parts
	if maria && n.order != nil {
		parts = nil
		for _, i := range n.order {
			parts = append(parts, n.parts[i])
		}
	}
	at := 0
	for {
		before, after, found := strings.Cut(format, "%s")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString(parts[at%len(parts)].text(maria))
		at++
		format = after
	}
}

// walk visits the nodes that are there, from the root.
func (n *node) walk(visit func(*node) bool) {
	if n.dropped || !visit(n) {
		return
	}
	if n.instead != nil {
		n.instead.walk(visit)
		return
	}
	for _, p := range n.parts {
		p.walk(visit)
	}
}

// simpler are what an expression can be shrunk to: its parts of the same kind,
// and the plainest of all.
func (n *node) simpler() []*node {
	if n.kind == ofNothing || len(n.parts) == 0 || n.instead != nil {
		return nil
	}
	var out []*node
	for _, p := range n.parts {
		if p.kind == n.kind {
			out = append(out, p)
		}
	}
	return append(out, plainest[n.kind])
}

// statement is a random one.
type statement struct {
	root    *node
	shape   string
	ordered bool // its ORDER BY is total
}

// text is the statement. MariaDB is made to sort groups: in a table of groups it
// adds each row to the digits that a sum or an average of quotients shows.
func (s *statement) text(maria bool) string {
	text := s.root.text(maria)
	if maria && strings.Contains(text, " GROUP BY ") {
		return strings.Replace(text, "SELECT ", "SELECT SQL_BIG_RESULT ", 1)
	}
	return text
}

func randomStatement(seed uint64) *statement {
	g := &grammar{Rand: rand.New(rand.NewPCG(seed, 20260612))}
	return g.statement()
}

// TestRandomStatementsAreSound checks that the grammar makes what it should
// without asking anyone.
func TestRandomStatementsAreSound(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(3000) {
		a, b := randomStatement(seed).text(false), randomStatement(seed).text(false)
		if a != b {
			t.Fatalf("seed %d makes two statements:\n%s\n%s", seed, a, b)
		}
		if strings.Contains(a, "%!") || len(a) > 8000 {
			t.Errorf("seed %d: %s", seed, a)
		}
		seen[a] = true
	}
	if len(seen) < 2950 {
		t.Errorf("only %d of 3000 statements are different", len(seen))
	}
}
