package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const oraclePages = "testdata/sql/oracle"

// TestOraclePages checks every statement of testdata/sql/oracle three times:
// MariaDB still says what the page says, and wiresql says the same, in-process
// and over the wire. With -rewrite MariaDB writes the rows.
func TestOraclePages(t *testing.T) {
	oracles := map[string]*oracle{}
	declared := typeReport{}
	all, right := 0, 0
	for _, path := range pages(t, oraclePages) {
		p := parsePage(t, path)
		if oracles[p.archive] == nil {
			oracles[p.archive] = newOracle(t, p.archive)
		}
		o := oracles[p.archive]
		t.Run(filepath.Base(path), func(t *testing.T) {
			wrong := 0
			o.begin(t)
			for _, c := range p.cases {
				diffs := o.check(t, path, c, declared)
				for _, d := range diffs {
					t.Errorf("%s:%d: %s\n%s", path, c.line, c.statement, d)
				}
				if len(diffs) > 0 {
					wrong++
				}
			}
			if *rewrite {
				writePage(t, path, p)
			}
			t.Logf("%d of %d right", len(p.cases)-wrong, len(p.cases))
			all, right = all+len(p.cases), right+len(p.cases)-wrong
		})
	}
	t.Logf("%d of %d statements right", right, all)
	declared.log(t)
}

// typeReport counts how columns are declared: by MariaDB, then by wiresql. It
// is told and not judged, because MySQL and MariaDB declare differently: what
// is right is in the tests of the wire.
type typeReport map[[2]string][]string

func (r typeReport) add(statement string, want, got answer) {
	for i := range min(len(want.types), len(got.types)) {
		if pair := [2]string{want.types[i], got.types[i]}; pair[0] != pair[1] {
			r[pair] = append(r[pair], want.names[i]+" of "+statement)
		}
	}
}

func (r typeReport) log(t *testing.T) {
	for pair, columns := range r {
		t.Logf("%d columns are %s in MariaDB and %s in wiresql: %.150s", len(columns), pair[0], pair[1], columns[0])
	}
}

// check says what is wrong about a statement.
func (o *oracle) check(t *testing.T, path string, c *sqlCase, declared typeReport) (diffs []string) {
	t.Helper()
	if c.kind == "session" {
		o.set(t, c.statement, c.forMaria())
		return nil
	}
	if *rewrite {
		o.rewrite(t, path, c)
		return nil
	}
	inside, wire := askEngineCells(o.session, c.statement), ask(o.wire, c.statement)
	if c.kind != "oracle" {
		for how, got := range map[string]answer{"in-process": inside, "over the wire": wire} {
			if diff := o.checkWritten(c, got); diff != "" {
				diffs = append(diffs, how+": "+diff)
			}
		}
		return diffs
	}
	statement := c.forMaria()
	want := ask(o.maria, statement)
	if diff := compareRows(c.want, want.lines(!c.unordered)); diff != "" {
		t.Errorf("%s:%d: MariaDB does not say what the page says: %s\n%s", path, c.line, statement, diff)
	}
	if c.maria != "" {
		want.names = slices.Clone(wire.names) // its words are other ones
		if len(want.names) != len(want.types) {
			want.names = slices.Clone(want.types)
		}
	}
	declared.add(c.statement, want, wire)
	if diff := differs(want, wire, !c.unordered); diff != "" {
		diffs = append(diffs, "over the wire: "+diff)
	}
	// In-process text has neither the scale of numbers nor that of times.
	if want.err != nil || inside.err != nil {
		if diff := differs(want, inside, !c.unordered); diff != "" {
			diffs = append(diffs, "in-process: "+diff)
		}
	} else if diff := compareRows(want.lines(!c.unordered), inside.lines(!c.unordered)); diff != "" {
		diffs = append(diffs, "in-process: "+diff)
	}
	return diffs
}

// forMaria is what MariaDB is asked.
func (c *sqlCase) forMaria() string {
	if c.maria != "" {
		return c.maria
	}
	return c.statement
}

// rewrite has MariaDB write the rows that are others; an answer that is another one
// over rows in another order is none.
func (o *oracle) rewrite(t *testing.T, path string, c *sqlCase) {
	t.Helper()
	if c.kind != "oracle" {
		return
	}
	want := ask(o.maria, c.forMaria())
	reversed := strings.ReplaceAll(c.forMaria(), "wiresql.", "reversed.")
	if d := differs(want, ask(o.reversed, reversed), !c.unordered); d != "" {
		t.Errorf("%s:%d: the answer depends on the order of rows: %s\n%s", path, c.line, c.statement, d)
	}
	if lines := want.lines(!c.unordered); compareRows(c.want, lines) != "" {
		c.want = lines
	}
}

// checkWritten compares with rows that were written by hand: what MariaDB
// lacks.
func (o *oracle) checkWritten(c *sqlCase, got answer) string {
	if c.kind == "error" {
		if got.err == nil {
			return "no error"
		}
		if !strings.Contains(got.err.Error(), c.want[0]) {
			return got.err.Error() + "\nwant " + c.want[0]
		}
		return ""
	}
	if got.err != nil {
		return got.err.Error()
	}
	want := c.want
	if c.unordered {
		want = sorted(want)
	}
	return compareRows(want, got.lines(!c.unordered))
}
