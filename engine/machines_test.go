package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// TestOneAddressThreeMachines: an address that changes hands three times has three leases
// that are disjoint; columns, functions and conditions give the same answer at any time,
// also of the machines' IPv6 addresses, which only neighbour discovery tells of. The answer is
// what the test gave out, minute by minute.
func TestOneAddressThreeMachines(t *testing.T) {
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	const begin = tables.Time(1_780_000_000_000_000) // 2026-05-28 20:26:40
	at := func(minute int) tables.Time { return begin + tables.Time(minute)*60_000_000 }
	addr := func(text string) tables.Addr { return tables.AddrFromNetip(netip.MustParseAddr(text)) }
	const four, router = "10.0.0.7", "10.0.0.1"
	machines := []struct {
		name, six string
		from, to  int // minutes
	}{{"anna-pc", "2001:db8::a", 0, 60}, {"bert-pc", "2001:db8::b", 60, 150}, {"cara-pc", "2001:db8::c", 200, 260}}
	names := []tables.Name{{TS: at(0), Name: "gateway", Addr: addr(router), MAC: some[int64](1), Source: tables.SourceDHCP, ValidUntil: at(900)}}
	for n := range 20 { // a router has many addresses, and answers for others
		names = append(names, tables.Name{TS: at(n), Addr: addr(fmt.Sprintf("10.0.1.%d", n)), MAC: some[int64](1), Source: tables.SourceARP, ValidUntil: at(n)})
	}
	var conns []tables.Connection
	want := map[string]string{} // by address and minute
	for i, m := range machines {
		mac := some(int64(16 + 2*i))
		names = append(names, tables.Name{TS: at(m.from), Name: m.name, Addr: addr(four), MAC: mac, Source: tables.SourceDHCP, ValidUntil: at(m.to)})
		for minute := m.from; minute < m.to; minute += 30 {
			names = append(names, tables.Name{TS: at(minute), Addr: addr(m.six), MAC: mac, Source: tables.SourceNDP, ValidUntil: at(minute)})
		}
		for minute := m.from; minute < m.to; minute++ {
			want[fmt.Sprint(four, minute)], want[fmt.Sprint(m.six, minute)] = m.name, m.name
		}
	}
	for minute := range 300 {
		for i, ip := range []string{four, machines[0].six, machines[1].six, machines[2].six, "10.0.1.5"} {
			conns = append(conns, tables.Connection{TS: at(minute), TSEnd: at(minute), Client: addr(ip), Server: addr(router), Protocol: 6, ConnID: tables.ID(minute*8 + i + 1)})
		}
	}
	batch(t, a, "e", names)
	batch(t, a, "t", conns)
	e := openEngine(t, a)

	leases := ask(t, e, "SELECT name, TIME_FORMAT(ts, '%H:%i'), TIME_FORMAT(ts_end, '%H:%i'), source FROM hosts WHERE ip = '10.0.0.7' ORDER BY ts")
	const disjoint = "[[anna-pc 20:26 21:26 dhcp] [bert-pc 21:26 22:56 dhcp] [cara-pc 23:46 00:46 dhcp]]"
	if leases != disjoint {
		t.Errorf("leases are %s", leases)
	}
	if got := ask(t, e, "SELECT COUNT(*) FROM hosts WHERE name = 'gateway' AND ip <> '10.0.0.1'"); got != "[[0]]" {
		t.Errorf("a router's addresses have its name: %s", got)
	}
	rows := ask(t, e, "SELECT CONCAT(client_ip, TIMESTAMPDIFF(MINUTE, '2026-05-28 20:26:40', ts), '=', COALESCE(client_host, ''), '=', COALESCE(host_name(client_ip, ts), '')) FROM connections")
	told := 0
	for row := range strings.FieldsSeq(rows) {
		part := strings.Split(strings.Trim(row, "[]"), "=")
		if len(part) != 3 || part[1] != want[part[0]] || part[2] != want[part[0]] {
			t.Errorf("%s, and it was %q", row, want[part[0]])
		}
		told++
	}
	if told != len(conns) {
		t.Errorf("%d rows", told)
	}
	for _, m := range machines {
		if got := ask(t, e, fmt.Sprintf("SELECT host_addresses('%s', '2026-05-28', '2026-05-30')", m.name)); got != fmt.Sprintf("[[%s,%s]]", four, m.six) {
			t.Errorf("%s has %s", m.name, got)
		}
		if got := ask(t, e, fmt.Sprintf("SELECT client_ip, COUNT(*) FROM connections WHERE client_host = '%s' GROUP BY client_ip ORDER BY client_ip", m.name)); got != fmt.Sprintf("[[%s %d] [%s %[2]d]]", four, m.to-m.from, m.six) {
			t.Errorf("%s made %s", m.name, got)
		}
	}
}

// TestShortNames: a host's name that is the short name of others is told of.
func TestShortNames(t *testing.T) {
	e, a := testEngine(t)
	var names []tables.Name
	for i, name := range []string{"mail", "mail.b.test", "mail.a.test", "mailer.test", "web.test"} {
		names = append(names, tables.Name{TS: 1e15, Name: name, Addr: tables.Addr{Lo: 0xffff_0a000001 + uint64(i)}, Source: tables.SourceDHCP, ValidUntil: 2e15})
	}
	batch(t, a, "e", names)
	for name, want := range map[string]string{"Mail": "'mail' is a host, and the short name of mail.a.test, mail.b.test: those are not searched", "web.test": "",
		"mail.a.test": "", "web": "no host was ever named 'web' in this archive: did you mean web.test?"} {
		if _, said := answer(t, e, "SELECT COUNT(*) FROM connections WHERE client_host = '"+name+"'"); strings.TrimLeft(strings.TrimPrefix(said, "the archive holds no packets and no flows yet"), "\n") != want {
			t.Errorf("%s: %q, want %q", name, said, want)
		}
	}
}
