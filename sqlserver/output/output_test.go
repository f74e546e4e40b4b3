package output

import (
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"
)

// given is an answer that is known.
type given struct {
	names []string
	rows  [][]any
	err   error
}

func (g *given) Columns() []string { return g.names }

func (g *given) Next() ([]any, error) {
	if len(g.rows) == 0 {
		if g.err != nil {
			return nil, g.err
		}
		return nil, io.EOF
	}
	row := g.rows[0]
	g.rows = g.rows[1:]
	return row, nil
}

func sample() *given {
	return &given{
		names: []string{"ts", "client_host", "bytes", "share", "frame", "bytes"},
		rows: [][]any{
			{time.Date(2026, 6, 12, 10, 15, 0, 5000, time.UTC), "gavin.reid-machine", int64(1234567890123456789), 0.25, []byte{0, 255}, big.NewInt(12)},
			{time.Date(2026, 6, 12, 10, 16, 0, 0, time.UTC), nil, int64(-1), 1e21, nil, nil},
			{nil, "two\nlines\x1b[2J, \"é\"", nil, nil, []byte{}, big.NewInt(0)},
		},
	}
}

func TestFormats(t *testing.T) {
	for format, want := range map[string]string{
		"table": `
+----------------------------+--------------------+---------------------+-------+-------+-------+
| ts                         | client_host        |               bytes | share | frame | bytes |
+----------------------------+--------------------+---------------------+-------+-------+-------+
| 2026-06-12 10:15:00.000005 | gavin.reid-machine | 1234567890123456789 |  0.25 |  00ff |    12 |
| 2026-06-12 10:16:00.000000 | NULL               |                  -1 | 1e+21 |  NULL |  NULL |
| NULL                       | two                |                NULL |  NULL |       |     0 |
|                            | lines.[2J, "é"     |                     |       |       |       |
+----------------------------+--------------------+---------------------+-------+-------+-------+
3 rows
`,
		"line": `
*************************** 1. row ***************************
         ts: 2026-06-12 10:15:00.000005
client_host: gavin.reid-machine
      bytes: 1234567890123456789
      share: 0.25
      frame: 00ff
      bytes: 12
*************************** 2. row ***************************
         ts: 2026-06-12 10:16:00.000000
client_host: NULL
      bytes: -1
      share: 1e+21
      frame: NULL
      bytes: NULL
*************************** 3. row ***************************
         ts: NULL
client_host: two
             lines.[2J, "é"
      bytes: NULL
      share: NULL
      frame: 
      bytes: 0
3 rows
`,
		"markdown": `
| ts | client\_host | bytes | share | frame | bytes |
|---|---|---|---|---|---|
| 2026-06-12 10:15:00.000005 | gavin.reid-machine | 1234567890123456789 | 0.25 | 00ff | 12 |
| 2026-06-12 10:16:00.000000 | NULL | -1 | 1e+21 | NULL | NULL |
| NULL | two<br>lines.\[2J, "é" | NULL | NULL |  | 0 |
`,
		"json": `
[
{"ts":"2026-06-12 10:15:00.000005","client_host":"gavin.reid-machine","bytes":1234567890123456789,"share":0.25,"frame":"00ff","bytes_2":12},
{"ts":"2026-06-12 10:16:00.000000","client_host":null,"bytes":-1,"share":1e+21,"frame":null,"bytes_2":null},
{"ts":null,"client_host":"two\nlines\u001b[2J, \"é\"","bytes":null,"share":null,"frame":"","bytes_2":0}
]
`,
		"csv": `
ts,client_host,bytes,share,frame,bytes
2026-06-12 10:15:00.000005,gavin.reid-machine,1234567890123456789,0.25,00ff,12
2026-06-12 10:16:00.000000,,-1,1e+21,,
,"two
lines` + "\x1b" + `[2J, ""é""",,,,0
`,
	} {
		var b strings.Builder
		if err := Write(&b, format, sample()); err != nil || b.String() != want[1:] {
			t.Errorf("%s: %v\n%s\nwant\n%s", format, err, b.String(), want)
		}
	}
	if err := Write(io.Discard, "xml", sample()); err == nil {
		t.Error("xml was written")
	}
}

// An answer that ends in an error is not taken for a whole one.
func TestFormatsReportErrors(t *testing.T) {
	for format := range writers {
		g := sample()
		g.err = errors.New("packets were evicted meanwhile")
		if err := Write(io.Discard, format, g); !errors.Is(err, g.err) {
			t.Errorf("%s: %v", format, err)
		}
	}
	var b strings.Builder
	if err := Write(&b, "json", &given{names: []string{"a"}}); err != nil || !json.Valid([]byte(b.String())) {
		t.Errorf("no rows: %v, %s", err, b.String())
	}
}

func TestLongTablesStream(t *testing.T) {
	g := &given{names: []string{"n"}}
	for n := range tableSample + 5 {
		g.rows = append(g.rows, []any{int64(n * n)})
	}
	var b strings.Builder
	if err := Write(&b, "table", g); err != nil || !strings.HasSuffix(b.String(), "+\n1005 rows\n") {
		t.Errorf("%v, %s", err, b.String()[b.Len()-60:])
	}
}

// What a sample was taken of is written whole, and a table of it is as wide as
// it said.
func TestSample(t *testing.T) {
	s := SampleOf(sample())
	var b strings.Builder
	if err := Write(&b, "table", s); err != nil {
		t.Fatal(err)
	}
	if line, _, _ := strings.Cut(b.String(), "\n"); len(line) != s.Width() || !strings.HasSuffix(b.String(), "\n3 rows\n") {
		t.Errorf("width %d of\n%s", s.Width(), b.String())
	}
	b.Reset()
	if err := Write(&b, "table", &given{names: []string{"a\u202eb"}}); err != nil || !strings.Contains(b.String(), "a.b") {
		t.Errorf("%v, %q", err, b.String())
	}
}
