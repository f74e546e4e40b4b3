package main

import (
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// metadata measures what is read of packets: its rows beside tshark's fields, and beside an
// import that reads nothing; what one host did; and packets to take home.
type metadata struct {
	*bench
	size int64 // bytes of the mix
}

func (b *bench) metadata(only string, m *metadata, connections int) error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	m.bench = b
	log.Print(machine())
	var failed []error
	for _, p := range []struct {
		name string
		run  func() error
	}{
		{"mix", m.mixOfProtocols},
		{"host", func() error { return m.host(connections) }},
		{"export", m.export},
	} {
		if only != "" && !strings.Contains(","+only+",", ","+p.name+",") {
			continue
		}
		if err := p.run(); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.name, err))
			log.Print(failed[len(failed)-1])
		}
	}
	return errors.Join(failed...)
}

// tsharkFields are what the relations' columns are called there.
var tsharkFields = strings.Fields(`frame.time_epoch ip.src ip.dst ipv6.src ipv6.dst tcp.srcport tcp.dstport udp.srcport udp.dstport
	dns.id dns.qry.name dns.qry.type dns.flags.rcode dns.resp.name dns.resp.type dns.resp.ttl dns.a dns.aaaa dns.cname dns.ptr.domain_name dns.mx.mail_exchange dns.txt
	tls.handshake.version tls.handshake.extensions_server_name tls.handshake.extensions_alpn_str tls.handshake.ciphersuite tls.handshake.ja3 tls.handshake.ja3s
	x509ce.dNSName x509sat.uTF8String x509sat.printableString x509af.utcTime quic.version
	http.request.method http.host http.request.uri http.request.version http.response.code http.user_agent http.referer http.content_length http.content_type
	http2.headers.method http2.headers.authority http2.headers.path http2.headers.status
	smb.cmd smb.file smb.nt_status smb2.cmd smb2.tree smb2.filename smb2.nt_status smb2.read_length smb2.write_length smb2.acct
	ftp.request.command ftp.request.arg ftp.response.code tftp.opcode tftp.source_file nfs.procedure_v3 nfs.name nfs.count3
	kerberos.msg_type kerberos.CNameString kerberos.SNameString kerberos.realm kerberos.etype kerberos.error_code
	ntlmssp.messagetype ntlmssp.auth.username ntlmssp.auth.domain ntlmssp.auth.hostname ssh.protocol ssh.kex.hassh ldap.name ldap.resultCode rdp.rt_cookie telnet.data
	dcerpc.cn_bind_to_uuid dcerpc.opnum dhcp.option.dhcp dhcp.option.hostname dhcp.ip.your dhcp.hw.mac_addr dhcpv6.msgtype dhcpv6.iaaddr.ip nbns.name
	smtp.req.parameter imf.from imf.to imf.subject pop.request.command imap.request.command
	icmp.type icmp.code icmpv6.type arp.opcode arp.src.hw_mac arp.src.proto_ipv4 arp.dst.proto_ipv4 tcp.analysis.lost_segment tcp.analysis.retransmission tcp.checksum.status`)

// mixOfProtocols imports the mix with all observers on and with none, beside tshark.
func (m *metadata) mixOfProtocols() error {
	path, err := m.mix(m.size)
	if err != nil {
		return err
	}
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	archive := filepath.Join(m.dir, "mix.archive")
	defer os.RemoveAll(archive)
	var walls, cpus, plain []time.Duration
	for range m.runs {
		for _, flags := range [][]string{nil, {"--unobserved"}} {
			if err := os.RemoveAll(archive); err != nil {
				return err
			}
			u, err := timed(m.wiresql, append([]string{"import", "--no-sync", "--data", archive, path}, flags...)...)
			if err != nil {
				return err
			}
			log.Printf("import %v: %v cpu, %v wall, %d MB", flags, u.cpu, u.wall, u.rss>>20)
			if flags == nil {
				walls, cpus = append(walls, u.wall), append(cpus, u.cpu)
			} else {
				plain = append(plain, u.cpu)
			}
		}
	}
	what := fmt.Sprintf("import of %d MB of many protocols", st.Size()/1e6)
	m.add(what+", all observers, CPU", seconds(median(cpus)), "without observers "+seconds(median(plain)), ratio(median(cpus), median(plain)), "≤ 1.6x")
	args := []string{"-n", "-r", path, "-o", "tcp.check_checksum:TRUE", "-T", "fields"}
	for _, f := range tsharkFields {
		args = append(args, "-e", f)
	}
	t, err := timed("tshark", args...) // once: it takes long
	if err != nil {
		return err
	}
	m.add("the same, CPU", seconds(median(cpus)), fmt.Sprintf("tshark -T fields of %d %s", len(tsharkFields), seconds(t.cpu)), ratio(t.cpu, median(cpus)), "≥ 20x")
	m.add("the same, clock", seconds(median(walls)), "tshark "+seconds(t.wall), ratio(t.wall, median(walls)), "≥ 20x")
	return nil
}

// timelineFamilies are the relations whose rows a timeline shows.
var timelineFamilies = []string{"connections", "dns", "tls", "http", "files", "logins", "rpc", "mail", "dhcp", "arp", "icmp", "oddities", "hosts"}

// host asks what a machine did in a week, by its name, and reads all that happened in that week.
func (m *metadata) host(connections int) error {
	dir, err := m.huntArchive(connections)
	if err != nil {
		return err
	}
	return m.withProcess(dir, func(db *sql.DB, pid int) error {
		m.server = pid
		defer func() { m.server = 0 }()
		week := fmt.Sprintf("ts BETWEEN '%s' AND '%s'", huntFrom, huntTo)
		query := fmt.Sprintf("SELECT * FROM timeline WHERE host = '%s' AND %s ORDER BY ts", busyName, week)
		if _, _, err := ask(db, query); err != nil { // of a server that remembers nothing
			return err
		}
		read, err := bytesRead(db)
		if err != nil {
			return err
		}
		n, cost, err := m.repeated(db, query, nil)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%s did nothing", busyName)
		}
		m.add(fmt.Sprintf("%d events of a host of %d connections, warm", n, connections), cost.String(), "300 ms", ratio(cost.wall, 300*time.Millisecond), "≤ 1x")
		all := int64(0)
		for _, f := range timelineFamilies {
			columns := "client_ip, server_ip"
			switch f {
			case "arp", "hosts":
				columns = "ip"
			case "icmp":
				columns = "src_ip, dst_ip"
			}
			// What a text is of is not known to the files: all of their rows are read.
			if _, _, err := ask(db, fmt.Sprintf("SELECT * FROM %s WHERE %s AND CONCAT_WS(' ', %s) LIKE '%%%s%%'", f, week, columns, officeBusy)); err != nil {
				return err
			}
			n, err := bytesRead(db)
			if err != nil {
				return err
			}
			log.Printf("all of %s: %d bytes", f, n)
			all += n
		}
		m.add("the same, bytes read of row files", fmt.Sprintf("%.1f MB", float64(read)/1e6), fmt.Sprintf("all of that week %.1f MB", float64(all)/1e6), float64(all)/float64(read), "≥ 20x")
		return nil
	})
}

// bytesRead is what the statement before read of row files.
func bytesRead(db *sql.DB) (n int64, err error) {
	err = db.QueryRow("SELECT file_bytes FROM ops.query_log WHERE connection = CONNECTION_ID() AND statement NOT LIKE '%query_log%' ORDER BY ts DESC LIMIT 1").Scan(&n)
	return n, err
}

// exportedPackets are taken home by export.
const exportedPackets = 100_000

// export writes the packets that a statement finds to a file, beside a sequential read of as
// many bytes, neither of which are in memory.
func (m *metadata) export() error {
	c, err := m.corpus("small", m.small, 0)
	if err != nil {
		return err
	}
	if err := m.ensureArchive(c); err != nil {
		return err
	}
	out, plain := filepath.Join(m.dir, "evidence.pcapng"), filepath.Join(m.dir, "evidence.plain")
	defer os.Remove(out)
	defer os.Remove(plain)
	query := fmt.Sprintf("SELECT packet_id FROM packets ORDER BY ts LIMIT %d", exportedPackets)
	for _, cold := range []bool{true, false} {
		var ours, cpus, cats []time.Duration
		size := int64(0)
		for range m.runs {
			if cold {
				if err := forget(c.archive); err != nil {
					return err
				}
			}
			os.Remove(out)
			u, err := timed(m.wiresql, "export", "--data", c.archive, "--pcap", out, query)
			if err != nil {
				return err
			}
			said, err := os.ReadFile(out)
			if err != nil {
				return err
			}
			if err := os.WriteFile(plain, said, 0o644); err != nil {
				return err
			}
			if size = int64(len(said)); cold {
				if err := forget(plain); err != nil {
					return err
				}
			}
			r, err := timed("cat", plain)
			if err != nil {
				return err
			}
			log.Printf("export, cold %t: %v cpu, %v wall; cat %v", cold, u.cpu, u.wall, r.wall)
			ours, cpus, cats = append(ours, u.wall), append(cpus, u.cpu), append(cats, r.wall)
		}
		how := map[bool]string{true: "cold", false: "warm"}[cold]
		m.add(fmt.Sprintf("export of %d packets, %.0f MB, %s, speed", exportedPackets, float64(size)/1e6, how),
			fmt.Sprintf("%s (CPU %s)", ms(median(ours)), ms(median(cpus))), "cat "+ms(median(cats)), ratio(median(cats), median(ours)), "≥ 0.5x")
	}
	return nil
}
