package pushdown

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/tables"
)

// Relations and functions that are defined by SQL over relations. A statement that reads
// one reads what it is made of, so that conditions, rights and warnings are
// those of the relations behind it. The definition's fields are the relation's
// columns, in its order.

// defined holds their definitions.
var defined = map[*tables.Relation]*Statement{
	tables.HostFlows: viewOf(fromEnds("SELECT ts, ts_end, duration, {own}_ip, {own}_host, {own}_port, '{own}',"+
		" {peer}_ip, {peer}_host, {peer}_port, {asked}, protocol, service, {own}_bytes, {peer}_bytes, {own}_packets, {peer}_packets,"+
		" conn_state, direction, packet_status, sensor, conn_id, evicted_at, flows_folded FROM connections", "client", "server")),
	tables.Timeline: viewOf(timelineText()),
	tables.Notices:  viewOf(noticesText()),
}

// arm is what one relation says of a machine: its rows have two ends, as
// client_… and server_…, and are told of both.
type arm struct {
	kind, from string
	// own and peer are what the columns of the ends begin with, if not with client and
	// server.
	own, peer string
	// port is the field peer_port.
	port string
	// summary is what a person reads, a list of texts of which NULLs are left out.
	summary string
	// notice is the kinds of notices that the row is one of: see noticesText.
	notice string
	// counted are the fields bytes_out, bytes_in and packet_status, of
	// connections alone: sums count nothing twice.
	counted string
	// ids are the fields conn_id, flow_id and evicted_at.
	ids string
}

// arms are the relations of timeline. One more is a line here, and its kind in
// tables.timelineKinds.
var arms = []arm{
	{kind: "connection", from: "connections", summary: "COALESCE(service, protocol), CONCAT('to ', server_name), conn_state",
		notice: kindIf(otherPort, "unexpected_service"), counted: "{own}_bytes, {peer}_bytes, packet_status", ids: "conn_id, NULL, evicted_at"},
	{kind: "dns", from: "dns", port: "NULL", summary: "qtype, query, CONCAT('= ', NULLIF(answers, '')), NULLIF(rcode, 'NOERROR')"},
	{kind: "tls", from: "tls", summary: "version, server_name, alpn, IF(self_signed, 'self-signed', NULL), subject",
		notice: "CASE WHEN " + badCertificate + " THEN " + certificateKind + " END, " + kindIf(weakTLS, "weak_tls")},
	{kind: "http", from: "http", summary: "method, CONCAT(COALESCE(host, ''), uri), status, content_type, user_agent"},
	{kind: "login", from: "logins", summary: "protocol, outcome, NULLIF(CONCAT_WS('@', username, domain), ''), service, error, IF(cleartext, 'in clear', NULL), client_software",
		notice: kindIf("cleartext", "cleartext_password") + ", " + kindIf(weakTicket, "weak_kerberos")},
	// Those of HTTP are in http.
	{kind: "file", from: "files WHERE protocol <> 'http'", summary: "protocol, action, share, name, CONCAT('to ', new_name), CONCAT('as ', username)," +
		" CONCAT(bytes_read, ' bytes read'), CONCAT(bytes_written, ' bytes written'), NULLIF(status, 'STATUS_SUCCESS')"},
	{kind: "rpc", from: "rpc", summary: "interface, operation, named_pipe"},
	{kind: "mail", from: "mail", summary: "IF(starttls, 'goes on in TLS', NULL), CONCAT('from ', COALESCE(header_from, mail_from)), CONCAT('to ', rcpt_to), subject," +
		" CONCAT('with ', attachments), NULLIF(outcome, 'unknown'), IF(outcome = 'accepted', NULL, reply)"},
	// Some are of machines without an address.
	{kind: "dhcp", from: "dhcp WHERE {own}_ip IS NOT NULL", port: "NULL", summary: "message, name, CONCAT('asks for ', requested_ip), CONCAT('gets ', assigned_ip)," +
		" CONCAT('for ', lease_seconds, ' s'), mac"},
	{kind: "icmp", from: "icmp WHERE {own}_ip IS NOT NULL", own: "src", peer: "dst", port: "NULL", summary: icmpName() + ", CONCAT('code ', NULLIF(icmp_code, 0)), CONCAT('about ', inner_protocol), CONCAT('to ', inner_dst_ip)," +
		" CONCAT('port ', inner_dst_port), CONCAT(packets, IF(packets = 1, ' packet', ' packets'))", notice: kindIf(redirect, "icmp_redirect")},
	{kind: "oddity", from: "oddities WHERE {own}_ip IS NOT NULL", summary: oddDetail, notice: "kind"},
}

// kindIf is a kind of notices under a condition.
func kindIf(condition, kind string) string {
	return "CASE WHEN " + condition + " THEN '" + kind + "' END"
}

// icmpName is the type of a message in words.
func icmpName() string {
	text := "CASE"
	for i, names := range []map[uint8]string{tables.ICMPTypes, tables.ICMP6Types} {
		text += " WHEN protocol = '" + []string{"icmp", "icmp6"}[i] + "' THEN CASE icmp_type"
		for _, kind := range slices.Sorted(maps.Keys(names)) {
			text += fmt.Sprintf(" WHEN %d THEN '%s'", kind, names[kind])
		}
		text += " ELSE CONCAT('type ', icmp_type) END"
	}
	return text + " END"
}

// timelineText is the definition of timeline: its arms, what the machine said to all of
// its network, and what was learnt of its names.
func timelineText() string {
	var parts []string
	for _, a := range arms {
		a.own, a.peer, a.port = cmp.Or(a.own, "client"), cmp.Or(a.peer, "server"), cmp.Or(a.port, "{peer}_port")
		a.counted, a.ids = cmp.Or(a.counted, "NULL, NULL, NULL"), cmp.Or(a.ids, "conn_id, flow_id, NULL")
		notice := "NULL"
		if a.notice != "" {
			notice = "NULLIF(CONCAT_WS(',', " + a.notice + "), '')"
		}
		parts = append(parts, fromEnds("SELECT ts, {own}_host, {own}_ip, '"+a.kind+"', '{role}', {peer}_ip, {peer}_host, "+a.port+","+
			" CONCAT_WS(' ', '{mark}', "+a.summary+"), "+notice+", "+a.counted+", "+a.ids+" FROM "+a.from, a.own, a.peer))
	}
	return strings.Join(append(parts,
		"SELECT ts, host, ip, 'arp', 'client', asked_ip, NULL, NULL, CONCAT_WS(' ', '→', protocol, kind, CONCAT('for ', asked_ip), CONCAT('is ', mac), CONCAT('and was ', previous_mac),"+
			" CONCAT(packets, IF(packets = 1, ' packet', ' packets'))), "+kindIf("previous_mac IS NOT NULL", "address_conflict")+", NULL, NULL, NULL, conn_id, flow_id, NULL FROM arp WHERE ip IS NOT NULL",
		"SELECT ts, name, ip, 'lease', NULL, NULL, NULL, NULL, CONCAT_WS(' ', 'is', ip, CONCAT('by ', source), mac), NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM hosts"), " UNION ALL ")
}

// What makes a row one of notices.
const (
	badCertificate  = "(not_after < ts OR not_before > ts OR self_signed)"
	certificateKind = "CASE WHEN not_after < ts THEN 'certificate_expired' WHEN not_before > ts THEN 'certificate_not_yet_valid' ELSE 'certificate_self_signed' END"
	weakTLS         = "(version IN ('SSLv2', 'SSLv3', 'TLSv1', 'TLSv1.1') OR cipher LIKE '%RC4%' OR cipher LIKE '%NULL%' OR cipher LIKE '%EXPORT%' OR cipher LIKE '%DES%' OR cipher LIKE '%ANON%')"
	weakTicket      = "(ticket_etype LIKE 'rc4%' OR ticket_etype LIKE 'des-%')"
	redirect        = "(protocol = 'icmp' AND icmp_type = 5 OR protocol = 'icmp6' AND icmp_type = 137)"
	otherPort       = "service IN ('ssh', 'telnet', 'ftp', 'http', 'tls', 'ldap', 'ms-wbt-server', 'smb', 'dcerpc') AND server_port IN (21, 22, 23, 25, 53, 80, 88, 389, 443, 3389)" +
		" AND NOT (service = 'tls' AND server_port IN (21, 25, 389, 3389)) AND service <> service_name(server_port, protocol)"
	oddDetail = "CASE kind WHEN 'tcp_gap' THEN CONCAT('bytes are missing: ', bytes) WHEN 'tcp_conflict' THEN CONCAT('bytes came again, and others: ', bytes)" +
		" WHEN 'tcp_out_of_window' THEN 'numbers out of any window' WHEN 'tcp_bad_checksum' THEN 'wrong checksums' ELSE 'TCP in fragments of IP' END," +
		" CONCAT('sent by the ', sent_by), CONCAT(packets, CASE WHEN kind = 'tcp_gap' THEN IF(packets = 1, ' time', ' times') ELSE IF(packets = 1, ' packet', ' packets') END)"
)

// noticesText is the definition of notices: what it looks for in each relation.
func noticesText() string {
	const ends = " client_ip, client_host, server_ip, server_host, server_port, "
	return strings.Join([]string{
		"SELECT ts, " + certificateKind + "," +
			" CASE WHEN not_after < ts THEN 'medium' ELSE 'low' END," + ends +
			"CONCAT_WS(' ', server_name, CONCAT('subject ', subject), CONCAT('from ', not_before), CONCAT('until ', not_after)), sensor, conn_id, flow_id" +
			" FROM tls WHERE " + badCertificate,
		"SELECT ts, 'weak_tls', 'medium'," + ends + "CONCAT_WS(' ', version, cipher, server_name), sensor, conn_id, flow_id FROM tls WHERE " + weakTLS,
		"SELECT ts, 'cleartext_password', 'high'," + ends + "CONCAT_WS(' ', protocol, CONCAT('as ', username), outcome), sensor, conn_id, flow_id FROM logins WHERE cleartext",
		"SELECT ts, 'weak_kerberos', 'medium'," + ends + "CONCAT_WS(' ', CONCAT('ticket by ', ticket_etype), CONCAT('for ', service), CONCAT('as ', username)), sensor, conn_id, flow_id FROM logins WHERE " + weakTicket,
		"SELECT ts, 'icmp_redirect', 'medium', dst_ip, dst_host, src_ip, src_host, NULL, CONCAT_WS(' ', 'is told another way to', inner_dst_ip), sensor, conn_id, flow_id FROM icmp WHERE " + redirect,
		"SELECT ts, kind, CASE kind WHEN 'tcp_conflict' THEN 'high' WHEN 'tcp_out_of_window' THEN 'medium' ELSE 'low' END," + ends + "CONCAT_WS(' ', " + oddDetail + "), sensor, conn_id, flow_id FROM oddities",
		"SELECT ts, 'address_conflict', 'medium', ip, host, NULL, NULL, NULL, CONCAT_WS(' ', protocol, kind, ip, 'is', mac, 'and was', previous_mac), sensor, conn_id, flow_id" +
			" FROM arp WHERE previous_mac IS NOT NULL",
		"SELECT ts, 'unexpected_service', 'medium'," + ends + "CONCAT_WS(' ', service, 'on the port of', service_name(server_port, protocol)), sensor, conn_id, NULL FROM connections WHERE " + otherPort,
	}, " UNION ALL ")
}

// fromEnds is rows as each of their two ends sees them: {own} and {peer}
// are client and server, say, and the other way round.
func fromEnds(text, client, server string) string {
	return strings.NewReplacer("{own}", client, "{peer}", server, "{role}", "client", "{asked}", "server_name", "{mark}", "→").Replace(text) + " UNION ALL " +
		strings.NewReplacer("{own}", server, "{peer}", client, "{role}", "server", "{asked}", "NULL", "{mark}", "←").Replace(text)
}

func viewOf(text string) *Statement {
	s, err := Parse(text)
	if err != nil {
		panic(err) // a constant
	}
	return s
}

// view binds a relation that is defined by SQL.
func (c *compiler) view(rel *tables.Relation, def *Statement) (*block, error) {
	p := &Project{}
	before := c.tables
	defer func() { c.tables = before }()
	err := c.inside(def, nil, func() error {
		b, err := c.statement(def.AST.(sqlparser.TableStatement))
		if err != nil {
			return err
		}
		p.Child = b.rel
		for i := range rel.Columns {
			p.Exprs = append(p.Exprs, Named{c.columnOf(rel, i), &Col{b.out[i]}})
		}
		return nil
	})
	return &block{p, p.Columns()}, err
}

// inside binds a definition, whatever stands around it: its names are the
// archive's, its parameters what is given.
func (c *compiler) inside(def *Statement, given []Expr, bind func() error) error {
	if err := c.deeper(); err != nil {
		return err
	}
	defer c.shallower()
	parsed, ctes, schema, before, scope := c.parsed, c.ctes, c.schema, c.given, c.scope
	c.parsed, c.ctes, c.schema, c.given, c.scope = def, nil, tables.Main, given, nil
	defer func() { c.parsed, c.ctes, c.schema, c.given, c.scope = parsed, ctes, schema, before, scope }()
	return bind()
}

// definedFunction is a function that is a subquery, of its arguments :v1, :v2 and
// so on.
type definedFunction struct {
	name, args, doc string
	def             *Statement
}

var definedFunctions = []definedFunction{
	{"stream", "conn_id", "What the ends of a conversation said to each other, as text: follow(packet_id) of all its packets. NULL if there are none.",
		viewOf("SELECT follow(packet_id) FROM packets WHERE conn_id = :v1")},
	{"file_bytes", "file_id", "What a file held that was read or written (see files), put together from the packets of its conversation, HTTP's compression undone. What was not captured is zeros, and a warning says of what lacks that the file is not whole; so it does of parts of a file (ranges of HTTP, what SMB did not read to the end, FTP that was broken off or began within it), and of bytes that came twice and differ. NULL if the file is not found. It has at most max_allowed_packet bytes; wiresql export --files takes more. It wants the right to bytes, SELECT on packet_bytes.",
		viewOf("SELECT file_content(packet_id, CONCAT(:v1, COALESCE((SELECT MIN(CONCAT(' ', LEFT(COALESCE(status, ''), 8), ' ', COALESCE(size, ''))) FROM files" +
			" WHERE conn_id = LEFT(RIGHT(:v1, 27), 13) AND packet_id = RIGHT(:v1, 13) AND protocol = 'ftp'), ''))) FROM packets WHERE conn_id = LEFT(RIGHT(:v1, 27), 13)")},
	{"host_name", "address, time", "The name an address had at a time (see hosts); of several sites the first by name.",
		viewOf("SELECT MIN(name) FROM hosts WHERE ip = :v1 AND ts <= :v2 AND ts_end > :v2")},
	{"host_addresses", "name, from, to", "The addresses a host had between two times, comma-joined.",
		viewOf("SELECT GROUP_CONCAT(DISTINCT ip ORDER BY ip) FROM hosts WHERE name = :v1 AND ts < :v3 AND ts_end > :v2")},
}

// ofDefinition binds a call of a function that is a subquery; ok is false when
// there is none of that name.
func (c *compiler) ofDefinition(name string, args []Expr) (x Expr, ok bool, err error) {
	i := slices.IndexFunc(definedFunctions, func(f definedFunction) bool { return f.name == name })
	if i < 0 {
		return nil, false, nil
	}
	f := &definedFunctions[i]
	params := strings.Split(f.args, ", ")
	if len(args) != len(params) {
		return nil, true, mistake(1582, "Incorrect parameter count in the call to native function '%s'", name)
	}
	for i, a := range args {
		if m := meaning(a); a.Kind() == ID && m != nil && m.Name != params[i] {
			return nil, true, mistake(1210, "Incorrect arguments to %s: it is %[1]s(%s)", name, f.args)
		}
	}
	err = c.inside(f.def, args, func() (err error) {
		x, err = c.scalarSubquery(&sqlparser.Subquery{Select: f.def.AST.(sqlparser.TableStatement)})
		return err
	})
	return x, true, err
}
