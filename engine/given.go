package engine

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// Tables that are given as files of CSV (RFC 4180), such as indicators to look
// for: name=file.csv. The first line names the columns. A column whose values are
// all addresses is one of addresses, so are whole numbers, numbers and times; any
// other holds text, which compares without regard to case. Nothing between two commas is NULL. A file that changes is
// read again by the next statement that names it.

const (
	maxGivenBytes   = 256 << 20
	maxGivenColumns = 256
)

var givenName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,63}$`)

// leadingZero tells codes such as 007 from numbers.
var leadingZero = regexp.MustCompile(`^[-+]?0[0-9]`)

// givenTable is a table out of a file.
type givenTable struct {
	name, path string

	mu   sync.Mutex
	read fs.FileInfo // when it was read
	now  *givenRows
}

// givenRows are a file's rows as they were read once.
type givenRows struct {
	relation *tables.Relation
	rows     [][]any // nil, string, int64, float64, tables.Addr or tables.Time
}

// givenTables opens the tables of the configuration.
func givenTables(list []string) (map[string]*givenTable, error) {
	out := map[string]*givenTable{}
	for _, one := range list {
		name, path, ok := strings.Cut(one, "=")
		if name = strings.ToLower(strings.TrimSpace(name)); !ok || !givenName.MatchString(name) {
			return nil, fmt.Errorf("table %q: write it as name=file.csv", one)
		}
		if tables.Lookup(tables.Main, name) != nil || out[name] != nil {
			return nil, fmt.Errorf("table %s: there is one of that name", name)
		}
		t := &givenTable{name: name, path: path}
		if _, err := t.current(); err != nil {
			return nil, fmt.Errorf("table %s: %w", name, err)
		}
		out[name] = t
	}
	return out, nil
}

// given is a table as its file is now; nil when there is none of that name.
func (e *Engine) given(schema, name string) (*givenRows, error) {
	t := e.tables[name]
	if schema != tables.Main || t == nil {
		return nil, nil
	}
	rows, err := t.current()
	if err != nil {
		return nil, userError("table %s: %v", name, err)
	}
	return rows, nil
}

// current reads the file unless it is the one that was read before.
func (t *givenTable) current() (*givenRows, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, err := os.Open(t.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if t.now != nil && os.SameFile(t.read, st) && t.read.Size() == st.Size() && t.read.ModTime().Equal(st.ModTime()) {
		return t.now, nil
	}
	if st.Size() > maxGivenBytes {
		return nil, fmt.Errorf("%s has %s: at most %s are read", t.path, byteText(st.Size()), byteText(maxGivenBytes))
	}
	rows, err := readGiven(t.name, io.LimitReader(f, maxGivenBytes))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.path, err)
	}
	rows.relation.Doc = "rows of " + t.path
	t.read, t.now = st, rows
	return rows, nil
}

// readGiven reads a table of CSV.
func readGiven(name string, from io.Reader) (*givenRows, error) {
	r := csv.NewReader(from)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it has no line that names its columns")
		}
		return nil, err
	}
	if len(header) > maxGivenColumns {
		return nil, fmt.Errorf("%d columns: at most %d", len(header), maxGivenColumns)
	}
	out := &givenRows{relation: &tables.Relation{Schema: tables.Main, Name: name, Given: true}}
	for i, title := range header {
		if i == 0 {
			title = strings.TrimPrefix(title, "\uFEFF")
		}
		c := tables.Column{Name: columnName(title)}
		if c.Name == "" || out.relation.Column(c.Name) != nil {
			return nil, fmt.Errorf("column %d has the name %.40q: it wants one that no other has", i+1, title)
		}
		out.relation.Columns = append(out.relation.Columns, c)
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		row := make([]any, len(record))
		for i, field := range record {
			if !utf8.ValidString(field) {
				line, _ := r.FieldPos(i)
				return nil, fmt.Errorf("line %d: it is not UTF-8", line)
			}
			if field != "" {
				row[i] = strings.Clone(field)
			}
		}
		out.rows = append(out.rows, row)
	}
	for i := range out.relation.Columns {
		out.settle(i)
	}
	return out, nil
}

// columnName is a title as the name of a column.
func columnName(title string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, strings.TrimSpace(title)), "_")
}

// kinds are what a column may hold, the first that all values are.
var givenKinds = []struct {
	kind tables.Kind
	read func(s string) (any, bool)
}{
	{tables.Address, func(s string) (any, bool) {
		a, err := netip.ParseAddr(s)
		return tables.AddrFromNetip(a), err == nil && a.Zone() == ""
	}},
	{tables.BigInt, func(s string) (any, bool) {
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil && strconv.FormatInt(n, 10) == s // 007 is a text
	}},
	{tables.Double, func(s string) (any, bool) {
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil && f-f == 0 && !strings.ContainsAny(s, "xX_") && !leadingZero.MatchString(s)
	}},
	{tables.Timestamp, func(s string) (any, bool) {
		if len(s) < len("2006-01-02") || s[4] != '-' {
			return nil, false
		}
		t, err := functions.ParseTime(s)
		return tables.Time(t.UnixMicro()), err == nil
	}},
}

func (g *givenRows) relationOf() *tables.Relation {
	if g == nil {
		return nil
	}
	return g.relation
}

// settle gives a column the kind its values have.
func (g *givenRows) settle(column int) {
	c := &g.relation.Columns[column]
	c.Kind, c.Size, c.NoCase = tables.Text, 1, true // as names are, beside which it will stand
	some := false
	for _, row := range g.rows {
		if s, ok := row[column].(string); ok {
			some = true
			c.Size = max(c.Size, utf8.RuneCountInString(s))
		}
	}
	for _, k := range givenKinds {
		if some && !slices.ContainsFunc(g.rows, func(row []any) bool {
			s, ok := row[column].(string)
			if !ok {
				return false
			}
			_, is := k.read(strings.TrimSpace(s))
			return !is
		}) {
			c.Kind, c.Size, c.NoCase = k.kind, 0, false
			for _, row := range g.rows {
				if s, ok := row[column].(string); ok {
					row[column], _ = k.read(strings.TrimSpace(s))
				}
			}
			return
		}
	}
}

// givenText feeds a table's rows.
func (r *run) givenText(rel *tables.Relation) (string, error) {
	g, err := r.engine.given(rel.Schema, rel.Name)
	if err != nil {
		return "", err
	}
	if g == nil || g.relation != rel {
		return "", userError("table %s changed while it was asked: ask again", rel.Name)
	}
	first := make([]int, len(rel.Columns)) // of the columns that make up one
	n := 0
	for i, c := range rel.Columns {
		first[i] = n
		n += len(feedColumns(c.Name, c.Kind))
	}
	return r.published(&listFeed{cols: columnsOf(rel), rows: len(g.rows), write: func(row int, to func(int) *vectorWriter, at int) {
		for i, v := range g.rows[row] {
			w := to(first[i])
			switch v := v.(type) {
			case string:
				w.setText(at, v)
			case int64:
				put(w, at, v)
			case float64:
				put(w, at, v)
			case tables.Time:
				put(w, at, int64(v))
			case tables.Addr:
				put(w, at, v.Hi)
				put(to(first[i]+1), at, v.Lo)
			default:
				w.setNull(at)
				if rel.Columns[i].Kind == tables.Address {
					to(first[i] + 1).setNull(at)
				}
			}
		}
	}}), nil
}
