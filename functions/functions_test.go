package functions

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
)

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

func TestParseTimeFractions(t *testing.T) {
	same := "2026-06-12 10:15:00.5"
	for _, s := range []string{
		"2026-06-12 10:15:00.5", "2026-06-12T10:15:00.5", "2026-06-12T10:15:00.5Z", "2026-06-12 10:15:00.5Z",
		"2026-06-12T12:15:00.500+02:00", "2026-06-12 05:15:00.5 -05:00", " 2026-06-12 10:15:00.5 ",
	} {
		got, err := ParseTime(s)
		if err != nil || got.Format("2006-01-02 15:04:05.999999") != same {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for s, want := range map[string]string{
		"2026-06-12":                    "2026-06-12 00:00:00",
		"2026-06-12 10:15":              "2026-06-12 10:15:00",
		"2026-06-12T10:15Z":             "2026-06-12 10:15:00",
		"20260612101500":                "2026-06-12 10:15:00",
		"2026-06-12 10:15:00.123456789": "2026-06-12 10:15:00.123457",
		"9999-12-31 00:00:00":           "9999-12-31 00:00:00",
	} {
		got, err := ParseTime(s)
		if err != nil || got.Format("2006-01-02 15:04:05.999999") != want {
			t.Errorf("%q: %v, %v, want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "yesterday", "2026-13-01", "2026-02-30", "2026-06-12 25:00", "10:15", "5", "2026-06-12 10:15:00 Europe/Berlin"} {
		if got, err := ParseTime(s); err == nil {
			t.Errorf("%q is %v", s, got)
		}
	}
}

func TestTranslations(t *testing.T) {
	addr := Operand{Kind: Address, Hi: "h", Lo: "l"}
	text := func(s string) Operand { return Operand{Kind: Text, SQL: Quote(s), Literal: s, IsLiteral: true} }
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
