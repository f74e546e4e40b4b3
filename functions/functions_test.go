package functions

import (
	"errors"
	"flag"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/tables"
)

var rewrite = flag.Bool("rewrite", false, "write docs/functions.md")

// evaluate runs a statement of one value in go-mysql-server and returns it as
// clients see it.
func evaluate(query string) (string, error) {
	provider := memory.NewDBProvider()
	engine := sqle.NewDefault(provider)
	defer engine.Close()
	ctx := sql.NewContext(sql.NewEmptyContext(), sql.WithSession(memory.NewSession(sql.NewBaseSession(), provider)))
	engine.Analyzer.Catalog.RegisterFunction(ctx, GMS()...)
	schema, rows, _, err := engine.Query(ctx, query)
	if err != nil {
		return "", err
	}
	defer rows.Close(ctx)
	row, err := rows.Next(ctx)
	if errors.Is(err, io.EOF) {
		return "(no row)", nil
	}
	if err != nil {
		return "", err
	}
	v, err := schema[0].Type.SQL(ctx, nil, row[0])
	if v.IsNull() {
		return "NULL", err
	}
	return v.ToString(), err
}

func TestExamples(t *testing.T) {
	for _, f := range All {
		if len(f.Examples) == 0 || f.Doc == "" {
			t.Errorf("%s has no examples or no documentation", f.Name)
		}
		for _, e := range f.Examples {
			if got, err := evaluate(e.SQL); err != nil || got != e.Result {
				t.Errorf("%s\n got %s (%v)\nwant %s", e.SQL, got, err, e.Result)
			}
		}
	}
}

func TestDocsAreCurrent(t *testing.T) {
	const page = "../docs/functions.md"
	if *rewrite {
		if err := os.WriteFile(page, []byte(Document()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != Document() {
		t.Error("docs/functions.md is not what the definitions say: go test ./functions -rewrite")
	}
}

// What is wrong is an error when the statement is planned, with its reason.
func TestRefusals(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT ip_in('10.1.2.3', 'ten')":                  `"ten" is not a network: write it as '10.0.0.0/8'`,
		"SELECT ip_in('host.example', '10.0.0.0/8')":       `"host.example" is a name, not an address`,
		"SELECT ip_network('10.1.2.3', 200)":               "200 is not a prefix length",
		"SELECT time_bucket('1 month', '2026-06-12')":      `"1 month" is not a width`,
		"SELECT time_bucket(0, '2026-06-12')":              "not between a microsecond and 100 years",
		"SELECT time_bucket('5m', 'yesterday')":            `"yesterday" is not a time: write it as '2026-06-12 10:15:00'`,
		"SELECT overlaps('2026-06-12', '2026-06-12', 'x')": "overlaps",
		"SELECT is_private()":                              "is_private",
		"SELECT contains(1, 'x')":                          "neither text nor bytes",
	} {
		got, err := evaluate(query)
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) {
			t.Errorf("%s\n got %s, %v\nwant error with %s", query, got, err, want)
		}
	}
}

func TestNulls(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT ip_in(NULL, '10.0.0.0/8')":                                   "NULL",
		"SELECT ip_in('10.0.0.1', NULL)":                                     "NULL",
		"SELECT contains(NULL, 'x')":                                         "NULL",
		"SELECT hexdump(NULL)":                                               "NULL",
		"SELECT hexdump('')":                                                 "",
		"SELECT overlaps('2026-01-02', '2026-01-03', NULL, '2026-01-01')":    "0",
		"SELECT overlaps('2026-01-02', '2026-01-03', NULL, '2026-02-01')":    "NULL",
		"SELECT overlaps('2026-01-02', NULL, '2026-01-01', '2026-02-01')":    "NULL",
		"SELECT service_name(443, NULL)":                                     "NULL",
		"SELECT tcp_flags_text(512)":                                         "NULL",
		"SELECT ip_network('10.1.2.3', 24) = ip_network('10.1.2.99', 24, 1)": "1",
	} {
		if got, err := evaluate(query); err != nil || got != want {
			t.Errorf("%s: got %q (%v), want %q", query, got, err, want)
		}
	}
}

func TestParseTime(t *testing.T) {
	want := time.Date(2026, 6, 12, 10, 15, 0, 0, time.UTC)
	for _, s := range []string{
		"2026-06-12 10:15", "2026-06-12 10:15:00", "2026-06-12T10:15:00Z", "2026-06-12T10:15z", "2026-06-12 12:15:00+02:00",
		"2026-06-12 12:15 +0200", "2026-06-12T05:15:00.0000001-05:00", "2026-6-12 10:15:00", " 2026-06-12 10:15:00.0 ",
	} {
		if got, err := ParseTime(s); err != nil || !got.Equal(want) {
			t.Errorf("ParseTime(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "today", "2026-13-01", "10.1.2.3", "2026-06-12 25:00"} {
		if got, err := ParseTime(s); err == nil {
			t.Errorf("ParseTime(%q) = %v, want an error", s, got)
		}
	}
}

func TestTranslations(t *testing.T) {
	addr := Operand{Kind: Address, Hi: "h", Lo: "l"}
	text := func(s string) Operand { return Operand{Kind: Text, SQL: quote(s), Literal: s, IsLiteral: true} }
	ts := Operand{Kind: Time, SQL: "ts"}
	number := Operand{Kind: Integer, SQL: "n"}
	for _, c := range []struct {
		name string
		args []Operand
		want string
	}{
		{"overlaps", []Operand{ts, {Kind: Time, SQL: "te"}, {Kind: Time, SQL: "a"}, {Kind: Time, SQL: "b"}}, "(ts < b AND te >= a)"},
		{"ip_in", []Operand{addr, text("10.0.0.0/8")}, "(h = 0::UBIGINT AND l BETWEEN 281470849515520::UBIGINT AND 281470866292735::UBIGINT)"},
		{"ip_in", []Operand{addr, text("10.1.2.3")}, "(h = 0::UBIGINT AND l = 281470849581571::UBIGINT)"},
		{"ip_in", []Operand{addr, text("2001:db8::/32")}, "(h BETWEEN 2306139568115548160::UBIGINT AND 2306139572410515455::UBIGINT)"},
		{"ip_in", []Operand{addr, text("fe80::1/128")}, "(h = 18338657682652659712::UBIGINT AND l = 1::UBIGINT)"},
		{"ip_in", []Operand{addr, {Kind: Text, SQL: "x"}}, "refused: the network is not a constant"},
		{"ip_in", []Operand{text("x"), text("10.0.0.0/8")}, "refused: the argument is not an address"},
		{"ip_network", []Operand{addr, number}, "wiresql_ip_network(h, l, CAST(n AS BIGINT), CAST(n AS BIGINT))"},
		{"time_bucket", []Operand{text("5m"), ts}, "time_bucket(to_microseconds(300000000), ts, TIMESTAMP '1970-01-01')"},
		{"time_bucket", []Operand{text("2 weeks"), ts}, "time_bucket(to_microseconds(1209600000000), ts, TIMESTAMP '1970-01-05')"},
		{"time_bucket", []Operand{number, ts}, "refused: the width is not a constant"},
		{"service_name", []Operand{number}, "wiresql_service_name(CAST(n AS BIGINT), '')"},
		{"contains", []Operand{{Kind: Bytes, SQL: "b"}, text("x")}, "wiresql_contains(b, encode('x'))"},
		{"contains", []Operand{{Kind: Text, SQL: "s"}, text("x")}, "contains(s, 'x')"},
		{"contains", []Operand{addr, text("x")}, "refused: an argument is neither text nor bytes"},
		{"hexdump", []Operand{{Kind: Bytes, SQL: "b"}}, "wiresql_hexdump(b)"},
		{"tcp_flags_text", []Operand{{Kind: Text, SQL: "b"}}, "refused: the argument is not an integer"},
	} {
		o, err := Lookup(c.name).Text(c.args)
		got := o.SQL
		if err != nil {
			got = "refused: " + err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// The families stay apart although one number line holds both.
func TestInNetwork(t *testing.T) {
	for _, c := range []struct {
		addr, network string
		want          bool
	}{
		{"10.0.0.0", "10.0.0.0/8", true}, {"10.255.255.255", "10.0.0.0/8", true}, {"11.0.0.0", "10.0.0.0/8", false},
		{"1.2.3.4", "0.0.0.0/0", true}, {"::1", "0.0.0.0/0", false},
		{"1.2.3.4", "::/0", false}, {"::1", "::/0", true}, {"2001:db8::1", "::/0", true},
		{"1.2.3.4", "::ffff:1.2.3.0/120", true}, {"2001:db8:0:1::", "2001:db8::/63", true}, {"2001:db8:0:2::", "2001:db8::/63", false},
	} {
		a, err := tables.ParseAddr(c.addr)
		if err != nil {
			t.Fatal(err)
		}
		p, err := parseNetwork(c.network)
		if err != nil {
			t.Fatal(err)
		}
		if got := InNetwork(a, p); got != c.want {
			t.Errorf("%s in %s: %v", c.addr, c.network, got)
		}
	}
	if _, err := parseNetwork("fe80::1%eth0"); err == nil {
		t.Error("a zone was taken as part of a network")
	}
	if p, _ := parseNetwork("10.1.2.3"); p != netip.MustParsePrefix("10.1.2.3/32") {
		t.Errorf("one address is the network %v", p)
	}
}

func TestByteTexts(t *testing.T) {
	long := make([]byte, dumpLimit+3)
	if s := dumpHex(long); !strings.HasSuffix(s, "\n(3 more bytes)") {
		t.Errorf("hexdump of %d bytes ends in %q", len(long), s[len(s)-40:])
	}
	if s := showPrintable(long); len(s) != dumpLimit+len("\n(3 more bytes)") {
		t.Errorf("printable of %d bytes has length %d", len(long), len(s))
	}
	want := "00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|\n" +
		"00000010  41                                                |A|"
	if got := dumpHex([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0fA")); got != want {
		t.Errorf("hexdump:\n%s\nwant\n%s", got, want)
	}
	if got := showPrintable([]byte("a\tb\r\nc\rd\x80é")); got != "a\tb\nc.d..." {
		t.Errorf("printable: %q", got)
	}
}

// Translations of times and widths are text to the compiler; whatever a user
// writes must come out as a number or an error.
func FuzzParseWidth(f *testing.F) {
	for _, s := range []string{"5 minutes", "1h", "", "1e9", "-1s", "0.1 us", "9999999999999999 weeks", "1..2 s", "５m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if w, err := parseWidth(s); err == nil && (w < time.Microsecond || w%time.Microsecond != 0) {
			t.Errorf("parseWidth(%q) = %v", s, w)
		}
	})
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2026-06-12 10:15", "2026-06-12T10:15:00.123456789+02:00", "9999-12-31", "2026-06-12 ", "2026-06-12\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if at, err := ParseTime(s); err == nil && at.Nanosecond()%1000 != 0 {
			t.Errorf("ParseTime(%q) = %v", s, at)
		}
	})
}
