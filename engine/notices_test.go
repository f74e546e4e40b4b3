package engine

import (
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestNotices: each kind of oddity is told once, and what is in order is not.
func TestNotices(t *testing.T) {
	e, a := testEngine(t)
	const ts, day = tables.Time(1_780_000_000_000_000), tables.Time(86_400_000_000)
	ip := func(n uint64) tables.Addr { return tables.Addr{Lo: 0xffff_0a000000 + n} }
	handshake := func(n uint64, version, cipher string, from, until tables.Time, self bool) tables.TLS {
		return tables.TLS{TS: ts, Client: ip(n), Server: ip(100), ServerPort: 443, Version: version, Cipher: cipher, NotBefore: some(from), NotAfter: some(until), SelfSigned: some(self)}
	}
	batch(t, a, "e", []tables.TLS{
		handshake(1, "TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", ts-day, ts+day, false),
		handshake(2, "TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", ts-day, ts-1, false),
		handshake(3, "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", ts+1, ts+day, true),
		handshake(4, "TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", ts, ts, true),
		handshake(5, "TLSv1", "TLS_RSA_WITH_AES_128_CBC_SHA", ts-day, ts+day, false),
		handshake(6, "TLSv1.2", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", ts-day, ts+day, false),
	})
	batch(t, a, "e", []tables.Login{
		{TS: ts, Client: ip(7), Server: ip(100), ServerPort: 21, Protocol: "ftp", Username: "gavin", Outcome: "success", Cleartext: some(true)},
		{TS: ts, Client: ip(18), Server: ip(100), ServerPort: 88, Protocol: "kerberos_tgs", Username: "gavin", Service: "mssql/db", TicketEtype: "rc4-hmac", Outcome: "success"},
		{TS: ts, Client: ip(19), Server: ip(100), ServerPort: 88, Protocol: "kerberos_tgs", Username: "gavin", Service: "http/new", TicketEtype: "aes256-cts-hmac-sha1-96", Outcome: "success"},
		{TS: ts, Client: ip(8), Server: ip(100), ServerPort: 21, Protocol: "ntlm", Username: "gavin", Outcome: "success"},
	})
	batch(t, a, "e", []tables.ARP{
		{TS: ts, TSEnd: ts, Protocol: "arp", Kind: "reply", MAC: some[int64](2), IP: some(ip(9)), PreviousMAC: some[int64](4), Packets: 1},
		{TS: ts, TSEnd: ts, Protocol: "arp", Kind: "reply", MAC: some[int64](2), IP: some(ip(10)), Packets: 1},
	})
	conn := func(n uint64, service string, port int32) tables.Connection {
		return tables.Connection{TS: ts, TSEnd: ts, Client: ip(n), Server: ip(100), ServerPort: port, Protocol: tables.ProtocolTCP, Service: service, ConnID: tables.ID(n)}
	}
	batch(t, a, "t", []tables.Connection{conn(11, "ssh", 443), conn(12, "ssh", 22), conn(13, "http", 80), conn(14, "http", 53), conn(15, "tls", 25), conn(16, "https", 443), conn(17, "ssh", 2222)})
	batch(t, a, "e", []tables.ICMP{{TS: ts, TSEnd: ts, Src: some(ip(9)), Protocol: 1, InnerConnID: some(tables.ID(7)), Packets: 1}, {TS: ts, TSEnd: ts, Protocol: 1, Packets: 1},
		{TS: ts, TSEnd: ts, Src: some(ip(1)), Dst: some(ip(20)), Protocol: 1, Type: some[int32](5), InnerDst: some(ip(99)), Packets: 1}})
	odd := func(n uint64, kind string, packets, bytes int64) tables.Oddity {
		return tables.Oddity{TS: ts, TSEnd: ts, Kind: kind, Client: some(ip(n)), ClientPort: some[int32](40000), Server: some(ip(100)), ServerPort: some[int32](445), SentBy: "client", Packets: packets, Bytes: bytes}
	}
	batch(t, a, "e", []tables.Oddity{odd(21, "tcp_fragments", 4, 3000), odd(22, "tcp_conflict", 1, 12), odd(23, "tcp_gap", 1, 1460), odd(24, "tcp_gap", 2, 99),
		odd(25, "tcp_out_of_window", 2, 7), odd(26, "tcp_bad_checksum", 3, 30), {TS: ts, TSEnd: ts, Kind: "tcp_gap", Server: some(ip(100)), SentBy: "server", Packets: 70, Bytes: 700}})
	batch(t, a, "e", []tables.DHCP{{TS: ts, Version: 4, Client: some(ip(9)), Packets: 1}, {TS: ts, Version: 4, Packets: 1}})
	batch(t, a, "e", []tables.DNSAnswer{{TS: ts, Address: some(ip(9))}, {TS: ts}})
	const want = `10.0.0.2 certificate_expired medium from 2026-05-27 20:26:40.000000 until 2026-05-28 20:26:39.999999
10.0.0.3 certificate_not_yet_valid low from 2026-05-28 20:26:40.000001 until 2026-05-29 20:26:40.000000
10.0.0.4 certificate_self_signed low from 2026-05-28 20:26:40.000000 until 2026-05-28 20:26:40.000000
10.0.0.5 weak_tls medium TLSv1 TLS_RSA_WITH_AES_128_CBC_SHA
10.0.0.6 weak_tls medium TLSv1.2 TLS_RSA_WITH_3DES_EDE_CBC_SHA
10.0.0.7 cleartext_password high ftp as gavin success
10.0.0.9 address_conflict medium arp reply 10.0.0.9 is 00:00:00:00:00:02 and was 00:00:00:00:00:04
10.0.0.11 unexpected_service medium ssh on the port of https
10.0.0.14 unexpected_service medium http on the port of domain
10.0.0.18 weak_kerberos medium ticket by rc4-hmac for mssql/db as gavin
10.0.0.20 icmp_redirect medium is told another way to 10.0.0.99
10.0.0.21 tcp_fragments low TCP in fragments of IP sent by the client 4 packets
10.0.0.22 tcp_conflict high bytes came again, and others: 12 sent by the client 1 packet
10.0.0.23 tcp_gap low bytes are missing: 1460 sent by the client 1 time
10.0.0.24 tcp_gap low bytes are missing: 99 sent by the client 2 times
10.0.0.25 tcp_out_of_window medium numbers out of any window sent by the client 2 packets
10.0.0.26 tcp_bad_checksum low wrong checksums sent by the client 3 packets`
	got := ask(t, e, "SELECT CONCAT_WS(' ', client_ip, kind, severity, detail) FROM notices WHERE client_ip IS NOT NULL ORDER BY client_ip")
	if n := ask(t, e, "SELECT client_ip, detail FROM notices WHERE client_ip IS NULL"); n != "[[<nil> bytes are missing: 700 sent by the server 70 times]]" {
		t.Errorf("a row of several conversations: %s", n)
	}
	// Each is in timeline as well, in the row that it is about, and tells both ends.
	const both = "SELECT kind, COUNT(*) AS n FROM notices WHERE kind <> 'address_conflict' AND client_ip IS NOT NULL GROUP BY kind"
	if n, want := ask(t, e, "SELECT n.kind, n.n, COUNT(t.ts) FROM ("+both+") n LEFT JOIN timeline t ON FIND_IN_SET(n.kind, t.notice) AND t.peer_ip IS NOT NULL GROUP BY n.kind, n.n HAVING COUNT(t.ts) <> 2 * n.n"), "[]"; n != want {
		t.Errorf("not in timeline as in notices: %s", n)
	}
	if n := ask(t, e, "SELECT ip, kind, role, notice, summary FROM timeline WHERE ip IN ('10.0.0.9', '10.0.0.20', '10.0.0.22') AND kind IN ('arp', 'icmp', 'oddity') AND notice IS NOT NULL ORDER BY ip"); n !=
		"[[10.0.0.9 arp client address_conflict → arp reply is 00:00:00:00:00:02 and was 00:00:00:00:00:04 1 packet] [10.0.0.20 icmp server icmp_redirect ← redirect to 10.0.0.99 1 packet]"+
			" [10.0.0.22 oddity client tcp_conflict → bytes came again, and others: 12 sent by the client 1 packet]]" {
		t.Error(n)
	}
	// Columns whose values may be missing are found, too.
	for where, rows := range map[string]string{"arp WHERE ip = '10.0.0.9'": "1", "arp WHERE conn_id = '1234567890123'": "0", "notices WHERE client_ip = '10.0.0.9'": "1",
		"icmp WHERE src_ip = '10.0.0.9'": "1", "icmp WHERE inner_conn_id = '0000000000007'": "1", "dhcp WHERE client_ip = '10.0.0.9'": "1", "dns_answers WHERE address = '10.0.0.9'": "1"} {
		if n := ask(t, e, "SELECT COUNT(*) FROM "+where); n != "[["+rows+"]]" {
			t.Errorf("%s: %s", where, n)
		}
	}
	if got = strings.ReplaceAll(strings.Trim(got, "[]"), "] [", "\n"); got != want {
		t.Errorf("got\n%s", got)
	}
}
