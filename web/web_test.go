package web

import (
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/wiresql/wiresql/testdata/leaks"
)

func TestMain(m *testing.M) { os.Exit(leaks.Main(m)) }

func TestSearchLeads(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "/",
		"10.20.0.23":                     "/host?name=10.20.0.23",
		"2001:db8::1":                    "/host?name=2001%3Adb8%3A%3A1",
		"gavin.reid-machine":             "/host?name=gavin.reid-machine",
		"BVX21Z9FHJCCG":                  "/connection?id=BVX21Z9FHJCCG",
		"bvx21z9fhjccg":                  "/connection?id=BVX21Z9FHJCCG",
		"WORKSTATIONXY":                  "/host?name=WORKSTATIONXY", // as long as an id, but no digit
		"select 1":                       "/sql?q=select+1",
		"SELECT":                         "/host?name=SELECT",
		"DROP TABLE connections":         "/host?name=DROP+TABLE+connections",
		"CALL hunt('beaconing')":         "/sql?q=CALL+hunt%28%27beaconing%27%29",
		"CALL pin('a', 'TRUE')":          "/host?name=CALL+pin%28%27a%27%2C+%27TRUE%27%29",
		"<script>":                       "/host?name=%3Cscript%3E",
		"1:LQU9qZlK+B5F3KDmev6m5PMibrg=": "/sql?" + url.Values{"q": {"SELECT ts, client_ip, client_host, server_ip, server_name, server_port, service, conn_state, bytes, packet_status, conn_id\nFROM connections WHERE community_id = '1:LQU9qZlK+B5F3KDmev6m5PMibrg=' ORDER BY ts LIMIT 1000"}}.Encode(),
	} {
		if got := found(text); got != want {
			t.Errorf("%q leads to %s, not %s", text, got, want)
		}
	}
}

func TestValuesLead(t *testing.T) {
	when := span{"2026-06-12 10:00:00", "2026-06-12 11:00:00"}
	const same = "/host?from=2026-06-12+10%3A00%3A00&name="
	for _, x := range []struct{ column, value, want string }{
		{"conn_id", "BVX21Z9FHJCCG", "/connection?id=BVX21Z9FHJCCG"},
		{"conn_id", "not an id", ""},
		{"query_packet_id", "BVX21Z9FHJCCG", "/packet?id=BVX21Z9FHJCCG"},
		{"client_ip", "10.0.0.1", same + "10.0.0.1&to=2026-06-12+11%3A00%3A00"},
		{"client_ip", "javascript:alert(1)", ""},
		{"peer_host", "a&b", same + "a%26b&to=2026-06-12+11%3A00%3A00"},
		{"info", "10.0.0.1", ""},
		{"server_ip", "", ""},
	} {
		if got := link(x.column, x.value, when); got != x.want {
			t.Errorf("%s %q leads to %q, not %q", x.column, x.value, got, x.want)
		}
	}
}

func TestTimesLead(t *testing.T) {
	a := &answer{Columns: []column{{Name: "ts", Time: true}, {Name: "conn_id"}, {Name: "packet_id"}}, Rows: [][]cell{
		{{Text: "2026-06-12"}, {Text: "BVX21Z9FHJCCG"}, {Null: true}},
		{{Text: "2026-06-12"}, {Text: "BVX21Z9FHJCCG"}, {Text: "000002000PSQN"}},
		{{Text: "2026-06-12"}, {Text: "no id"}, {Null: true}},
		{{Null: true}, {Text: "BVX21Z9FHJCCG"}, {Null: true}},
	}}
	a.linked(span{})
	for i, want := range []string{"/connection?id=BVX21Z9FHJCCG", "/packet?id=000002000PSQN", "", ""} {
		if got := a.Rows[i][0].Href; got != want {
			t.Errorf("the time of row %d leads to %q, not %q", i, got, want)
		}
	}
}

func TestTimesGiven(t *testing.T) {
	for text, want := range map[string]string{
		"2026-06-12 10:15:00.123456": "2026-06-12 10:15:00.123456",
		"2026-06-12T10:15":           "2026-06-12 10:15:00",
		" 2026-06-12 ":               "2026-06-12 00:00:00",
		"2026-06-12T10:15:00+02:00":  "2026-06-12 08:15:00",
		"2026-06-31":                 "",
		"' OR 1=1 -- ":               "",
		"":                           "",
	} {
		if got := given(text); got != want {
			t.Errorf("%q is %q, not %q", text, got, want)
		}
	}
}

func TestBins(t *testing.T) {
	for _, x := range []struct {
		to   string
		step int
	}{
		{"2026-06-12 10:00:30", 1}, {"2026-06-12 10:10:00", 5}, {"2026-06-12 11:00:00", 30}, {"2026-06-13 10:00:00", 900}, {"2026-07-12 10:00:00", 21600}, {"2046-07-12 10:00:00", 90 * 86400},
	} {
		s := span{"2026-06-12 10:00:00", x.to}
		if got := s.bin(parts); got != x.step {
			t.Errorf("to %s in steps of %d seconds, not %d", x.to, got, x.step)
		}
	}
	from := time.Date(2026, 6, 12, 10, 0, 0, 0, time.UTC)
	row := func(at time.Time) []cell { return []cell{{Text: at.Format(timeLayout)}} }
	a := &answer{Columns: []column{{Name: "ts", Time: true}}, Rows: [][]cell{row(from), row(from.Add(59 * time.Second)), row(from.Add(59 * time.Second)), {{Text: "9999-12-31 00:00:00"}}, {{Null: true}}}}
	c := a.timesOf()
	if c == nil || len(c.Bins) != 60 || c.Bins[0].Value != 1 || c.Bins[59].Value != 2 || c.Bins[59].When() != "2026-06-12 10:00:59" {
		t.Errorf("%+v", c)
	}
	if (&answer{Columns: a.Columns, Rows: a.Rows[:1]}).timesOf() != nil {
		t.Error("one row is drawn")
	}
}

func TestTextsAreSeen(t *testing.T) {
	for text, want := range map[string]string{
		"a\u202egpj.exe": "a[U+202E]gpj.exe", "a\x1b[31m\x00\u009b": "a[U+001B][31m[U+0000][U+009B]", "zero\u200bwidth": "zero[U+200B]width",
		"\U000e0041": "[U+E0041]", "żółć\t漢\r\n": "żółć\t漢\r\n", "": "",
	} {
		if got := seen(text); got != want {
			t.Errorf("%q is shown as %q, not %q", text, got, want)
		}
	}
}

func TestPacketsLead(t *testing.T) {
	for _, x := range []struct {
		columns []column
		want    string
	}{
		{[]column{{Name: "ts"}, {Name: "conn_id"}}, "/pcap?by=conn_id&q=SELECT+1"},
		{[]column{{Name: "conn_id"}, {Name: "packet_id"}}, "/pcap?by=packet_id&q=SELECT+1"},
		{[]column{{Name: "ts"}, {Name: "conn_id"}, {Name: "TS"}}, ""}, // no derived table
		{[]column{{Name: "ts"}}, ""},
	} {
		if got := (&answer{SQL: "SELECT 1;", Columns: x.columns, Rows: [][]cell{nil}}).packets(); got != x.want {
			t.Errorf("%v lead to %q, not %q", x.columns, got, x.want)
		}
	}
}

func TestOwnAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"/host?name=a": "/host?name=a", "//evil.test": "/", `/\evil.test`: "/", "https://evil.test/": "/", "javascript:1": "/", "": "/", "host": "/", "/\n/evil.test": "/",
	} {
		if got := own(text); got != want {
			t.Errorf("%q leads to %q", text, got)
		}
	}
}

func TestQuestions(t *testing.T) {
	for text, want := range map[string]bool{
		"SELECT 1": true, "(SELECT 1)": true, "/* a */ with x AS (SELECT 1) TABLE x": true, "-- a\nSHOW TABLES": true, "CALL hunt('a')": true, "call hunt . hunt('a')": true,
		"CALL pin('a', 'b')": false, "KILL 1": false, "SET @a = 1": false, "SELECTED": false, "": false, "CALL hunted('a')": false, "explain select 1": true,
		"/**/ /* * ** */ /***/SELECT 1": true, "--\n-- \n# a\nSELECT 1": true,
		// What is a comment to one reader is none to another.
		"/* */ CALL pin('a', 'b') -- */ SELECT": false, "--\nCALL pin('a', 'b') /*\nSELECT */": false, "/*! CALL pin('a', 'b') -- */ SELECT 1": false,
		"/***/ KILL 1 /* */ SELECT": false, "--1\nSELECT 1": false, "/*/ SELECT 1": false,
	} {
		if got := asks.MatchString(text); got != want {
			t.Errorf("%q is a question: %t", text, got)
		}
	}
}

// TestSessionsAreBounded: of an account and in all, the one that was used longest
// ago goes.
func TestSessionsAreBounded(t *testing.T) {
	l := newSessions(nil)
	defer l.close()
	now := time.Now()
	open := func(key, user string, last time.Time) {
		s, err := newSession(user, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		s.last, l.open[key] = last, s
	}
	for i := range maxOfAccount {
		open(string(rune('a'+i)), "hunter", now.Add(time.Duration(i)*time.Second))
	}
	open("old", "clerk", now.Add(-idleTime-time.Hour))
	l.expire("hunter")
	if l.open["a"] != nil || l.open["b"] == nil || l.open["old"] != nil || len(l.open) != maxOfAccount-1 {
		t.Errorf("%d sessions are left", len(l.open))
	}
}
