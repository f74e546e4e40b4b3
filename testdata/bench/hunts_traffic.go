package main

import (
	"cmp"
	"errors"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// The traffic that hunts are measured on: a month of an office of 4,000 machines
// in which nothing is wrong, and in its last week what each hunt looks for
// (hunts_planted.go). It is made straight into an archive, as the importer and
// compaction leave it.

const (
	huntDays  = 30
	huntSites = 2000
	// The last clients manage nothing, so that what is planted of them is all
	// that they do.
	quietClients = 500
	// busyEvents are in the timeline of one machine.
	busyEvents = 20_000
)

// network makes the rows of the month, each from its number.
type network struct {
	connections int
}

// talk is a connection with what was read of it.
type talk struct {
	conn   tables.Connection
	dns    []tables.DNS
	tls    []tables.TLS
	http   []tables.HTTP
	logins []tables.Login
	rpc    []tables.RPC
	files  []tables.File
	mail   []tables.Mail
}

func ip4(a, b, c, d int) tables.Addr {
	return tables.AddrFrom4([]byte{byte(a), byte(b), byte(c), byte(d)})
}

// Servers of the office.
var (
	officeFiles    = ip4(10, 255, 0, 5)
	officeFTP      = ip4(10, 255, 0, 21)
	officeSSH      = ip4(10, 255, 0, 22)
	officeResolver = ip4(10, 255, 0, 53)
	officeSite     = ip4(10, 255, 0, 80)
	officeLogins   = ip4(10, 255, 0, 88)
	officeBusy     = ip4(10, 255, 0, 200)
	officeClock    = ip4(45, 200, 0, 123)
	busyName       = "monitor-1"
)

func siteAddr(i int) tables.Addr {
	if i%10 == 9 {
		return tables.AddrFrom16([]byte{0x2a, 0, 0, 1, byte(i >> 8), byte(i), 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	}
	return ip4(45, 1+i>>8, i&255, 7)
}

func siteName(i int) string {
	return fmt.Sprintf("%s.site%d.%s", []string{"www", "mail", "cdn", "api"}[i%4], i/2, []string{"com", "net", "org"}[i/2%3])
}

// usual are what browsers of the office say of themselves.
var (
	usualJA4    = []string{"t13d1516h2_8daaf6152771_02713d6af862", "t13d1715h2_5b57614c22b0_3d5424432f57", "t13d2014h2_a09f3c656075_14788d8d241b"}
	usualAgents = []string{"Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (Macintosh)"}
)

// connectionOf is a whole conversation over TCP, in which nothing is odd.
func connectionOf(r *rand.Rand, at tables.Time, client, server tables.Addr, port int32, service string, up, down int64) tables.Connection {
	c := tables.Connection{TS: at, TSEnd: at + tables.Time(math.Exp(r.NormFloat64()*1.5+13)), Sensor: "core", SeenBy: "core",
		Client: client, ClientPort: int32(32768 + r.IntN(28000)), Server: server, ServerPort: port, Protocol: 6, Service: service,
		ConnState: tables.ConnSF, Visibility: tables.Clear, OrientedBy: tables.BySyn, Pieces: 1,
		CID: r.Uint64(), ConnID: tables.ID(r.Uint64()), Segments: []int32{1}}
	moved(&c, up, down)
	return c
}

// moved says how much was said by each end.
func moved(c *tables.Connection, up, down int64) {
	some := tables.Some[int64]
	p, q := 2+up/700, 2+down/1300
	c.ClientBytes, c.ServerBytes, c.ClientPackets, c.ServerPackets = some(up), some(down), some(p), some(q)
	c.ClientWireBytes, c.ServerWireBytes = some(up+14*p), some(down+14*q)
}

func (n *network) at(i int) tables.Time {
	return rowEpoch + tables.Time(float64(i)/float64(n.connections)*huntDays*dayMicros)
}

// row makes connection i of the month.
func (n *network) row(i int, t *talk) {
	r := rand.New(rand.NewPCG(uint64(i), 43))
	*t = talk{dns: t.dns[:0], tls: t.tls[:0], http: t.http[:0], logins: t.logins[:0]}
	who := r.IntN(clientHosts)
	client, at := clientAddr(who), n.at(i)
	u := r.Float64()
	site := int(u * u * huntSites)
	up := 400 + int64(math.Exp(r.NormFloat64()+6))
	down := 2*up + int64(math.Exp(r.NormFloat64()*1.8+8))
	kind := r.IntN(1000)
	if manages := kind >= 900 && kind < 960; manages && who >= clientHosts-quietClients {
		kind = 0
	}
	switch {
	case kind < 600:
		t.conn = connectionOf(r, at, client, siteAddr(site), 443, "https", up, down)
		t.conn.ServerName, t.conn.Visibility = siteName(site), tables.Encrypted
		if kind < 60 {
			t.tls = append(t.tls, handshakeOf(&t.conn, usualJA4[who%3]))
		}
	case kind < 700:
		t.conn = connectionOf(r, at, client, siteAddr(site), 80, "http", up, down)
		t.conn.ServerName = siteName(site)
		if kind < 620 {
			t.http = append(t.http, requestOf(&t.conn, "/", usualAgents[who%3]))
		}
	case kind < 890:
		t.conn = connectionOf(r, at, client, officeResolver, 53, "domain", 60, 120)
		t.conn.Protocol, t.conn.OrientedBy = 17, tables.ByServicePort
		if kind < 740 {
			t.dns = append(t.dns, lookUpOf(&t.conn, siteName(site), "A", "NOERROR", siteAddr(site).String()))
		} else if kind < 741 {
			t.dns = append(t.dns, lookUpOf(&t.conn, fmt.Sprintf("printer%d.corp.example.com", r.IntN(20)), "A", "NXDOMAIN", ""))
		}
	case kind < 900:
		t.conn = connectionOf(r, at, client, officeClock, 123, "ntp", 76, 76)
		t.conn.Protocol, t.conn.OrientedBy = 17, tables.ByServicePort
	case kind < 940:
		t.conn = connectionOf(r, at, client, officeFiles, 445, "smb", 20_000+up, 20_000+int64(r.IntN(1_000_000)))
	case kind < 960:
		t.conn = connectionOf(r, at, client, officeSSH, 22, "ssh", 20_000+up, 40_000+down)
		t.conn.Visibility = tables.Encrypted
	case kind < 965:
		t.conn = connectionOf(r, at, client, officeSSH, 0, "", 84, 84)
		t.conn.Protocol, t.conn.ClientPort, t.conn.OrientedBy = 1, 0, tables.ByFirstPacket
		t.conn.ClientPackets, t.conn.ServerPackets = tables.Some[int64](1), tables.Some[int64](1)
		t.conn.ICMPType, t.conn.ICMPCode = tables.Some[int32](8), tables.Some[int32](0)
	case kind < 980:
		t.conn = connectionOf(r, at, client, officeLogins, 88, "kerberos", 1500, 1800)
		l := loginOf(&t.conn, tables.LoginKerberosAS, fmt.Sprintf("user%d", who), tables.LoginSucceeded, "")
		if l.ReplyEtype, l.Preauth = "aes256-cts", tables.Some(true); kind >= 970 {
			l.Protocol, l.Service, l.TicketEtype = tables.LoginKerberosTGS, "cifs/files", "aes256-cts"
		}
		t.logins = append(t.logins, l)
	case kind < 990:
		t.conn = connectionOf(r, at, client, officeSite, 443, "https", up, down)
		t.conn.ServerName, t.conn.Visibility = "intranet.example.com", tables.Encrypted
	default: // nobody answers
		t.conn = connectionOf(r, at, client, siteAddr(site), 443, "https", 60, 0)
		t.conn.ConnState, t.conn.ServerPackets = tables.ConnS0, tables.Some[int64](0)
	}
}

func handshakeOf(c *tables.Connection, ja4 string) tables.TLS {
	return tables.TLS{TS: c.TS, Sensor: c.Sensor, Client: c.Client, ClientPort: c.ClientPort, Server: c.Server, ServerPort: c.ServerPort, Protocol: 6,
		Version: "TLSv1.3", ServerName: c.ServerName, ALPN: "h2", Cipher: "TLS_AES_128_GCM_SHA256", JA4: ja4, FlowID: tables.ID(c.CID), ConnID: c.ConnID}
}

func requestOf(c *tables.Connection, uri, agent string) tables.HTTP {
	return tables.HTTP{TS: c.TS, Sensor: c.Sensor, Client: c.Client, ClientPort: c.ClientPort, Server: c.Server, ServerPort: c.ServerPort,
		Method: "GET", Host: c.ServerName, URI: uri, Status: tables.Some[int32](200), UserAgent: agent, Version: "1.1", FlowID: tables.ID(c.CID), ConnID: c.ConnID}
}

func lookUpOf(c *tables.Connection, name, qtype, rcode, answers string) tables.DNS {
	return tables.DNS{TS: c.TS, Sensor: c.Sensor, Client: c.Client, Server: c.Server, Query: name, QType: qtype, RCode: rcode, Answers: answers,
		Protocol: 17, Opcode: "QUERY", FlowID: tables.ID(c.CID), ConnID: c.ConnID}
}

func loginOf(c *tables.Connection, protocol, user, outcome, err string) tables.Login {
	return tables.Login{TS: c.TS, Sensor: c.Sensor, Client: c.Client, ClientPort: c.ClientPort, Server: c.Server, ServerPort: c.ServerPort,
		Protocol: protocol, Username: user, Domain: "example.com", Outcome: outcome, Error: err, FlowID: tables.ID(c.CID), ConnID: c.ConnID}
}

// leases are the names of the machines.
func (n *network) leases() []tables.Name {
	lease := func(name string, a tables.Addr, i int) tables.Name {
		return tables.Name{TS: rowEpoch - dayMicros, Name: name, Addr: a, MAC: tables.Some(int64(0x020000000000 + i)), Source: tables.SourceDHCP,
			ValidUntil: rowEpoch + (huntDays+2)*dayMicros, Sensor: "core"}
	}
	out := []tables.Name{lease("files", officeFiles, clientHosts), lease("logins", officeLogins, clientHosts+1), lease(busyName, officeBusy, clientHosts+2)}
	for i := range clientHosts {
		out = append(out, lease(clientName(i), clientAddr(i), i))
	}
	return out
}

// huntArchive is the archive of the month, made unless it is there.
func (b *bench) huntArchive(connections int) (string, error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("hunts-%d.archive", connections))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	start := time.Now()
	n := &network{connections: connections}
	if err := n.write(dir + ".part"); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir+".part"))
	}
	if out, err := b.command("compact", "--data", dir+".part", "--once"); err != nil {
		return "", fmt.Errorf("compact: %w: %s", err, out)
	}
	log.Printf("%d connections of %d days made and compacted in %v", connections, huntDays, time.Since(start).Round(time.Second))
	return dir, os.Rename(dir+".part", dir)
}

func (n *network) write(dir string) (err error) {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	a, err := archive.Open(dir, archive.Options{NoSync: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	tx, err := a.Begin("import")
	if err != nil {
		return err
	}
	_, err = archive.WriteRows(tx, "t", n.leases())
	for first := 0; err == nil && first < n.connections; first += fileRows {
		err = writeTalks(tx, min(fileRows, n.connections-first), func(i int, t *talk) { n.row(first+i, t) })
	}
	p := plant()
	if err == nil {
		slices.SortStableFunc(p.talks, func(x, y talk) int { return cmp.Compare(x.conn.TS, y.conn.TS) })
		err = writeTalks(tx, len(p.talks), func(i int, t *talk) { *t = p.talks[i] })
	}
	if err == nil {
		_, err = archive.WriteRows(tx, "t", p.coverage)
	}
	if err == nil {
		err = onePacketFile(tx, dir)
	}
	if err != nil {
		return errors.Join(err, tx.Abort())
	}
	return tx.Commit()
}

// onePacketFile is what the connections say their packets are in: hunts read none.
func onePacketFile(tx *archive.Tx, dir string) error {
	name := "packets/core/2026/06/01/0000000001.pcap"
	path := filepath.Join(dir, filepath.FromSlash(name))
	// The header of an empty capture.
	empty := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0}
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, empty, 0o644)); err != nil {
		return err
	}
	_, err := archive.WriteRows(tx, "t", []tables.Segment{{Segment: 1, Kind: "pcap", Sensor: "core", Path: name,
		TS: tables.Some(rowEpoch), TSEnd: tables.Some(rowEpoch + huntDays*dayMicros), Bytes: int64(len(empty))}})
	return err
}

// writeTalks writes rows of some conversations, in order of time: a file a family.
func writeTalks(tx *archive.Tx, count int, row func(int, *talk)) error {
	conns, err := archive.NewRowFile[tables.Connection](tx, "h")
	if err != nil {
		return err
	}
	const block = 8192
	rows, all := make([]tables.Connection, 0, block), talk{}
	var t talk
	for i := range count {
		row(i, &t)
		c := &t.conn // by which conversations are looked up
		if c.CID = tables.CID(c.Client, c.Server, uint16(c.ClientPort), uint16(c.ServerPort), uint8(c.Protocol)); c.ICMPType.Set {
			c.CID = tables.CID(c.Client, c.Server, uint16(c.ICMPType.V), uint16(c.ICMPCode.V), uint8(c.Protocol))
		}
		rows = append(rows, *c)
		all.dns, all.tls, all.http = append(all.dns, t.dns...), append(all.tls, t.tls...), append(all.http, t.http...)
		all.logins, all.rpc, all.files = append(all.logins, t.logins...), append(all.rpc, t.rpc...), append(all.files, t.files...)
		all.mail = append(all.mail, t.mail...)
		if len(rows) == block || i == count-1 {
			if err := conns.Write(rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
	}
	_, first := conns.Close()
	_, dns := archive.WriteRows(tx, "t", all.dns)
	_, tls := archive.WriteRows(tx, "t", all.tls)
	_, http := archive.WriteRows(tx, "t", all.http)
	_, logins := archive.WriteRows(tx, "t", all.logins)
	_, rpc := archive.WriteRows(tx, "t", all.rpc)
	_, files := archive.WriteRows(tx, "t", all.files)
	_, mail := archive.WriteRows(tx, "t", all.mail)
	return errors.Join(first, dns, tls, http, logins, rpc, files, mail)
}
