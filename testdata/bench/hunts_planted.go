package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// planted is what hunts have to find in the last week, each by a machine of its own.
type planted struct {
	talks    []talk
	coverage []tables.Coverage
	r        *rand.Rand
}

const (
	second = tables.Time(1_000_000)
	minute = 60 * second
	hour   = 60 * minute
	// plantedDay is the last Monday of the month.
	plantedDay  = rowEpoch + 28*dayMicros
	plantedNoon = plantedDay + 12*hour
	// What is hunted through.
	huntFrom = "2026-06-24 00:00:00"
	huntTo   = "2026-06-30 23:59:59.999999"
)

// desk is one that something is planted of.
func desk(k int) tables.Addr { return clientAddr(clientHosts - quietClients + k) }

// outside is a server that nobody else goes to.
func outside(k int) tables.Addr { return ip4(203, 0, 113, k) }

// say adds a conversation; what was read of it is added to what is returned.
func (p *planted) say(at tables.Time, client, server tables.Addr, port int32, service string, up, down int64) *talk {
	p.talks = append(p.talks, talk{conn: connectionOf(p.r, at, client, server, port, service, up, down)})
	return &p.talks[len(p.talks)-1]
}

func (p *planted) https(at tables.Time, client, server tables.Addr, name string, up, down int64) *talk {
	t := p.say(at, client, server, 443, "https", up, down)
	t.conn.ServerName, t.conn.Visibility = name, tables.Encrypted
	return t
}

func (p *planted) udp(at tables.Time, client, server tables.Addr, port int32, service string, up, down int64) *talk {
	t := p.say(at, client, server, port, service, up, down)
	t.conn.Protocol, t.conn.OrientedBy = 17, tables.ByServicePort
	return t
}

func (p *planted) ask(at tables.Time, client tables.Addr, name, qtype, rcode, answers string) {
	t := p.udp(at, client, officeResolver, 53, "domain", 60, 120)
	t.dns = []tables.DNS{lookUpOf(&t.conn, name, qtype, rcode, answers)}
}

// refused is an attempt: S0 or REJ.
func (p *planted) refused(at tables.Time, client, server tables.Addr, port int32, state string) {
	t := p.say(at, client, server, port, "", 60, 0)
	t.conn.ConnState = state
	if state == tables.ConnREJ {
		t.conn.ServerBytes = tables.Some[int64](40)
	}
}

// part is from 0 to n-1, as a time.
func (p *planted) part(n tables.Time) tables.Time { return tables.Time(p.r.Int64N(int64(n))) }

func plant() *planted {
	p := &planted{r: rand.New(rand.NewPCG(7, 11))}
	p.calls()
	p.lookUps()
	p.inside()
	p.thefts()
	p.scans()
	p.handshakes()
	p.logins()
	p.rest()
	return p
}

// calls are beacons, of all kinds, and odd connections.
func (p *planted) calls() {
	for n := range 200 { // with a night's pause
		if n >= 100 && n < 180 {
			continue
		}
		t := p.https(plantedDay+tables.Time(n)*300*second+p.part(6*second), desk(66), outside(66), "", 400, 600)
		t.tls = []tables.TLS{handshakeOf(&t.conn, "t13i020200_odd_odd")}
	}
	at := plantedDay + 8*hour
	for range 60 {
		at += 60*second + p.part(140*second)
		t := p.say(at, desk(67), outside(67), 8443, "https-alt", 400+p.r.Int64N(20), 600)
		t.conn.ServerName, t.conn.Visibility = "jitter.planted-j.com", tables.Encrypted
	}
	for n := range 60 {
		p.https(plantedDay+8*hour+tables.Time(n)*600*second+p.part(6*second), desk(68), outside(100+n%4), "c2.planted-c.com", 400, 600)
	}
	t := p.say(plantedNoon, desk(69), outside(69), 80, "http", 300, 50_000)
	t.conn.ServerName = outside(69).String()
	t.http = []tables.HTTP{requestOf(&t.conn, "/a", "")}
	p.say(plantedNoon, desk(70), outside(70), 4444, "", 3000, 5000)
	for n := range 6 {
		t := p.say(plantedNoon+tables.Time(n)*second, desk(104), outside(110+n), 25, "smtp", 2000, 900)
		t.mail = []tables.Mail{{TS: t.conn.TS, Sensor: "core", Client: t.conn.Client, ClientPort: t.conn.ClientPort, Server: t.conn.Server, ServerPort: 25, Protocol: "smtp",
			MailFrom: "a@example.com", RcptTo: "b@example.org", Subject: "invoice", Attachments: []string{"invoice.pdf", "report.pdf,invoice.pdf.exe"}[n/5], Outcome: "accepted", ConnID: t.conn.ConnID}}
	}
	p.udp(plantedNoon, desk(75), outside(53), 53, "domain", 60, 120)
	p.udp(plantedNoon, desk(87), outside(87), 1900, "ssdp", 4400, 2_000_000)
	p.say(plantedNoon, desk(88), outside(88), 23, "telnet", 500, 5000)
	t = p.say(plantedDay+9*hour, desk(89), outside(89), 22, "ssh", 100_000, 100_000)
	t.conn.TSEnd, t.conn.Visibility = t.conn.TS+5*hour, tables.Encrypted
}

func (p *planted) lookUps() {
	for n := range 40 {
		var label []byte
		for range 14 {
			label = append(label, "abcdefghijklmnopqrstuvwxyz0123456789"[p.r.IntN(36)])
		}
		p.ask(plantedNoon+tables.Time(n)*3*minute, desk(71), string(label)+".com", "A", "NXDOMAIN", "")
	}
	for n := range 50 {
		p.ask(plantedNoon+tables.Time(n)*5*second, desk(72), fmt.Sprintf("srv%d.corp.example.com", n), "A", "NXDOMAIN", "")
	}
	for n := range 80 {
		p.ask(plantedNoon+tables.Time(n)*second, desk(73), fmt.Sprintf("%048x.t.planted-tunnel.com", n*7919), "A", "NOERROR", outside(73).String())
	}
	for n := range 30 {
		p.ask(plantedNoon+tables.Time(n)*minute, desk(74), "stage.planted-txt.com", "TXT", "NOERROR", strings.Repeat("x", 200))
	}
}

// inside is what moves from machine to machine.
func (p *planted) inside() {
	for n := range 5 {
		p.say(plantedNoon+tables.Time(n)*hour, desk(76), ip4(10, 255, 1, 1+n), 3389, "ms-wbt-server", 50_000, 90_000)
	}
	for n := range 20 {
		p.say(plantedNoon+tables.Time(n)*second, desk(77), ip4(10, 255, 2, 1+n), 5985, "wsman", 50_000, 9000)
	}
	for n := range 30 {
		p.say(plantedNoon+tables.Time(n)*7*second, desk(78), officeSSH, 22, "ssh", 1500, 1800)
	}
	p.say(plantedNoon, desk(83), officeFiles, 445, "smb", 100_000, 600_000_000)
	for n, k := range []int{100, 101} { // soon after it was written, and much later
		t := p.say(plantedNoon, desk(k), officeFiles, 445, "smb", 50_000, 9000)
		t.files = []tables.File{{TS: t.conn.TS, TSEnd: t.conn.TS + second, Sensor: "core", Client: t.conn.Client, ClientPort: t.conn.ClientPort, Server: officeFiles, ServerPort: 445,
			Protocol: "smb2", Share: "admin$", Name: "tool.exe", Action: tables.FileWritten, BytesWritten: tables.Some[int64](40_000), Status: "STATUS_SUCCESS", ConnID: t.conn.ConnID}}
		call := callOf(t, "svcctl", "CreateServiceW")
		call.TS += minute + tables.Time(n)*19*minute
		t.rpc = []tables.RPC{call}
	}
	t := p.say(plantedNoon, desk(103), officeLogins, 49155, "dcerpc", 5000, 900_000)
	t.rpc = []tables.RPC{callOf(t, "drsuapi", "DRSGetNCChanges")}
}

func callOf(t *talk, in, operation string) tables.RPC {
	return tables.RPC{TS: t.conn.TS, Sensor: "core", Client: t.conn.Client, ClientPort: t.conn.ClientPort, Server: t.conn.Server, ServerPort: t.conn.ServerPort,
		Interface: in, Operation: operation, Status: tables.RPCAnswered, ConnID: t.conn.ConnID}
}

func (p *planted) thefts() {
	p.https(plantedNoon, desk(79), outside(79), "drop.planted-d.com", 80_000_000, 500_000)
	for n := range tables.Time(4) {
		p.https(plantedNoon-(n+1)*dayMicros, desk(80), outside(80), "slow.planted-s.com", 3_000_000, 20_000)
	}
	p.https(plantedNoon, desk(81), outside(81), "www.dropbox.com", 20_000_000, 100_000)
	p.https(plantedDay+3*hour, desk(82), outside(82), "night.planted-n.com", 30_000_000, 100_000)
	for n := range tables.Time(60) {
		t := p.say(plantedNoon+n*second, desk(84), outside(84), 0, "", 1028, 1028)
		t.conn.Protocol, t.conn.ClientPort, t.conn.OrientedBy = 1, 0, tables.ByFirstPacket
		t.conn.ClientPackets, t.conn.ServerPackets = tables.Some[int64](1), tables.Some[int64](1)
		t.conn.ICMPType, t.conn.ICMPCode = tables.Some[int32](8), tables.Some[int32](0)
	}
}

func (p *planted) scans() {
	for n := range 100 {
		server, at := ip4(10, 254, 0, 1+n), plantedNoon+tables.Time(n)*second
		if n == 30 {
			p.say(at, desk(85), server, 445, "smb", 5000, 5000)
			continue
		}
		p.refused(at, desk(85), server, 445, []string{tables.ConnS0, tables.ConnREJ}[n%2])
	}
	for n := range 200 {
		p.refused(plantedNoon+tables.Time(n)*second/10, desk(86), officeFiles, int32(1000+n), tables.ConnREJ)
	}
	for n := range 2000 {
		p.refused(plantedNoon+tables.Time(n)*second/50, ip4(192, 0, 2, n%250), officeSite, 443, tables.ConnS0)
	}
}

func (p *planted) handshakes() {
	some := tables.Some[tables.Time]
	for _, c := range []struct {
		k     int
		name  string
		until tables.Time
		own   bool
	}{{90, "own.planted-o.com", plantedDay + 300*dayMicros, true}, {91, "old.planted-x.com", plantedDay - 300*dayMicros, false}} {
		t := p.https(plantedNoon, desk(c.k), outside(c.k), c.name, 2000, 5000)
		h := handshakeOf(&t.conn, usualJA4[0])
		h.Version, h.Subject, h.Issuer, h.CertSHA256 = "TLSv1.2", "CN="+c.name, "CN=somebody", strings.Repeat("ab", 32)
		h.NotBefore, h.NotAfter, h.SelfSigned = some(plantedDay-3000*dayMicros), some(c.until), tables.Some(c.own)
		t.tls = []tables.TLS{h}
	}
	t := p.say(plantedNoon, desk(93), outside(93), 4000, "http", 300, 50_000)
	t.conn.ServerName = "tools.planted-t.com"
	t.http = []tables.HTTP{requestOf(&t.conn, "/b", "odd/1")}
	t = p.say(plantedNoon, desk(94), outside(94), 80, "http", 300, 5000)
	t.conn.ServerName = "portal.planted-p.com"
	request := requestOf(&t.conn, "/c", usualAgents[0])
	request.Username = "user"
	t.http = []tables.HTTP{request}
}

func (p *planted) logins() {
	for n := range 5 {
		t := p.say(plantedNoon+tables.Time(n)*minute, desk(96), officeLogins, 88, "kerberos", 1500, 1800)
		l := loginOf(&t.conn, tables.LoginKerberosTGS, "mallory", tables.LoginSucceeded, "")
		l.Service, l.TicketEtype = fmt.Sprintf("mssql/db%d", n), "rc4-hmac"
		t.logins = []tables.Login{l}
	}
	t := p.say(plantedNoon, desk(97), officeLogins, 88, "kerberos", 1500, 1800)
	l := loginOf(&t.conn, tables.LoginKerberosAS, "legacy", tables.LoginSucceeded, "")
	l.ReplyEtype, l.Preauth = "rc4-hmac", tables.Some(false)
	t.logins = []tables.Login{l}
	for n := range 12 {
		t := p.say(plantedNoon+tables.Time(n)*minute, desk(98), officeLogins, 88, "kerberos", 1500, 800)
		t.logins = []tables.Login{loginOf(&t.conn, tables.LoginKerberosAS, fmt.Sprintf("guess%d", n), tables.LoginFailed, "KDC_ERR_PREAUTH_FAILED")}
	}
	t = p.say(plantedNoon, desk(99), officeFTP, 21, "ftp", 3000, 4000)
	for n := range tables.Time(25) {
		l := loginOf(&t.conn, tables.LoginFTP, "admin", tables.LoginFailed, "530")
		l.TS, l.Cleartext = l.TS+n*second, tables.Some(true)
		t.logins = append(t.logins, l)
	}
}

// rest is what every month has: a machine that is new, one with much to do, two that
// move most of the bytes, a sampled router, and times when something was lost.
func (p *planted) rest() {
	p.https(plantedNoon, ip4(172, 16, 0, 9), siteAddr(0), siteName(0), 800, 9000)
	for n := range tables.Time(busyEvents / 2) {
		at := rowEpoch + n*huntDays*dayMicros/(busyEvents/2)
		p.https(at, officeBusy, officeSite, "intranet.example.com", 800, 1800)
		// The other half: what it asks a resolver, over a connection that stays open.
		t := &p.talks[len(p.talks)-1]
		t.dns = []tables.DNS{lookUpOf(&t.conn, siteName(int(n)%huntSites), "A", "NOERROR", siteAddr(0).String())}
	}
	for n := range tables.Time(huntDays) {
		p.say(rowEpoch+n*dayMicros+hour, ip4(172, 16, 9, 1), ip4(172, 16, 9, 2), 873, "rsync", 200_000_000_000, 1_000_000)
	}
	// Whoever manages something has done so before: of few connections a month some would
	// do it for the first time in its last week, and be found.
	for i := range clientHosts - quietClients {
		at := rowEpoch + tables.Time(i)*20*second
		p.say(at, clientAddr(i), officeFiles, 445, "smb", 30_000, 90_000)
		p.say(at+second, clientAddr(i), officeSSH, 22, "ssh", 30_000, 60_000)
	}
	t := p.https(plantedNoon, desk(1), siteAddr(0), siteName(0), 800, 9000)
	t.conn.Sensor, t.conn.SeenBy, t.conn.Sampling = "router-7", "router-7", tables.Some[int64](100)
	for n := range tables.Time(huntDays) {
		p.coverage = append(p.coverage, tables.Coverage{Sensor: "core", Interface: "eth1", TS: rowEpoch + n*dayMicros, TSEnd: rowEpoch + (n+1)*dayMicros - 1,
			Packets: 1e6, Bytes: 1e9, Drops: tables.Some[int64](0)})
	}
	p.coverage[28].Drops, p.coverage[28].Undecoded = tables.Some[int64](1234), tables.Some[int64](50)
}

// expected is what each hunt has to find: the values of a column, each once.
type expected struct {
	hunt   string
	column string
	params []string
	want   []string
}

func machines(numbers ...int) (out []string) {
	for _, k := range numbers {
		out = append(out, desk(k).String())
	}
	return out
}

// expectations are in the order of hunts. Those of {community} are asked about the
// theft that is planted.
func expectations() []expected {
	return []expected{
		{"after_hours", "client_ip", nil, machines(82)},
		{"alert_context", "client_ip", []string{"community", "{community}"}, machines(79)},
		{"amplification", "client_ip", nil, machines(87)},
		{"asrep_roast", "client_ip", nil, machines(97)},
		{"beacon_sni", "client_ip", nil, machines(68)},
		{"beaconing", "client_ip", nil, machines(66)},
		{"beaconing_jitter", "client_ip", nil, machines(66, 67)},
		{"blind_spots", "reason", nil, []string{"lossy", "sampled"}},
		{"capture_health", "lost", nil, []string{"1234", "50"}},
		{"cleartext_credentials", "client_ip", nil, machines(88, 99)},
		{"dcsync", "client_ip", nil, machines(103)},
		{"dga", "client_ip", nil, machines(71)},
		{"dns_bypass", "client_ip", nil, machines(75)},
		{"dns_tunnel", "client_ip", nil, machines(73)},
		{"everything", "host", []string{"host", busyName}, []string{busyName}},
		{"exfil_ratio", "client_ip", nil, machines(79)},
		{"exfil_slow", "client_ip", nil, machines(80)},
		{"expired_certificates", "server_ip", nil, []string{outside(91).String()}},
		{"failed_logins", "client_ip", nil, machines(78, 99)},
		{"fan_out", "client_ip", nil, machines(77)},
		{"first_contact", "domain", nil, []string{"dropbox.com", "planted-c.com", "planted-d.com", "planted-j.com", "planted-n.com", "planted-o.com",
			"planted-p.com", "planted-s.com", "planted-t.com", "planted-x.com"}},
		{"http_basic", "client_ip", nil, machines(94)},
		{"http_raw_ip", "client_ip", nil, machines(69)},
		{"icmp_tunnel", "client_ip", nil, machines(84)},
		{"ioc_sweep", "client_ip", []string{"indicators", outside(70).String() + ", planted-c.com"}, machines(68, 70)},
		{"kerberoast", "client_ip", nil, machines(96)},
		{"lateral_admin", "client_ip", nil, machines(76, 77)},
		{"long_connections", "client_ip", nil, machines(89)},
		{"mail_direct", "client_ip", nil, machines(104)},
		{"mail_program", "attachments", nil, []string{"report.pdf,invoice.pdf.exe"}},
		{"new_admin_path", "client_ip", nil, machines(76, 77, 78, 83, 85, 100, 101)},
		{"new_hosts", "ip", nil, fresh()},
		{"nxdomain_burst", "client_ip", nil, machines(72)},
		{"odd_user_agent", "client_ip", nil, machines(69, 93)},
		{"password_spray", "client_ip", nil, machines(98)},
		{"protocol_on_wrong_port", "client_ip", nil, machines(93)},
		{"rare_ja4", "client_ip", nil, machines(66)},
		{"rare_ports", "server_port", nil, []string{"1900", "23", "4000", "4444", "8443"}},
		{"remote_service", "client_ip", nil, machines(100, 101)},
		{"scan_hits", "server_ip", nil, []string{"10.254.0.31"}},
		{"scan_horizontal", "client_ip", nil, machines(85)},
		{"scan_vertical", "client_ip", nil, machines(86)},
		{"self_signed", "client_ip", nil, machines(90)},
		{"smb_bulk_read", "client_ip", nil, machines(83)},
		{"smb_exec", "client_ip", nil, machines(100)},
		{"syn_flood", "server_ip", nil, []string{officeSite.String()}},
		{"tls_no_sni", "client_ip", nil, machines(66)},
		{"top_pairs", "client_ip", []string{"rows", "1"}, []string{"172.16.9.1"}},
		{"top_talkers", "ip", []string{"rows", "2"}, []string{"172.16.9.1", "172.16.9.2"}},
		{"txt_heavy", "client_ip", nil, machines(74)},
		{"upload_cloud_storage", "client_ip", nil, machines(81)},
		{"who_resolved", "client_ip", []string{"name", "planted-tunnel.com"}, machines(73)},
		{"young_domains", "domain", nil, []string{"planted-tunnel.com", "planted-txt.com"}},
	}
}

// fresh are the machines inside that sent something in the last week and never before:
// those that were never scanned, and answer the scan, are new too.
func fresh() (out []string) {
	known, seen := map[tables.Addr]bool{}, map[tables.Addr]bool{}
	for i := range clientHosts {
		known[clientAddr(i)] = true
	}
	for _, a := range []tables.Addr{officeFiles, officeSSH, officeResolver, officeSite, officeLogins, officeBusy, ip4(172, 16, 9, 1), ip4(172, 16, 9, 2)} {
		known[a] = true
	}
	for _, t := range plant().talks {
		for a, sent := range map[tables.Addr]int64{t.conn.Client: t.conn.ClientBytes.V, t.conn.Server: t.conn.ServerBytes.V} {
			text := a.String()
			if inside := strings.HasPrefix(text, "10.") || strings.HasPrefix(text, "172.16."); inside && sent > 0 && !known[a] && !seen[a] {
				seen[a] = true
				out = append(out, text)
			}
		}
	}
	return out
}
