package tables

// Example is a question people ask of a relation and the SQL that answers it.
// The documentation shows them and the tests run them.
type Example struct{ Question, SQL string }

// Examples returns what the documentation shows for a relation: at least
// three, each runnable on any archive.
func (r *Relation) Examples() []Example { return examples[r.Schema+"."+r.Name] }

var examples = map[string][]Example{
	"wiresql.connections": {
		{"On June 12th between 10:15 and 10:30, over port 80, what did gavin.reid-machine do?",
			`SELECT ts, server_name, server_ip, bytes, packet_status FROM connections
WHERE client_host = 'gavin.reid-machine' AND server_port = 80
  AND overlaps(ts, ts_end, '2026-06-12 10:15', '2026-06-12 10:30')
ORDER BY ts`},
		{"Who sends most to the outside?",
			`SELECT client_ip, client_host, SUM(client_bytes) AS sent, COUNT(*) AS connections
FROM connections WHERE direction = 'outbound'
GROUP BY client_ip, client_host ORDER BY sent DESC LIMIT 20`},
		{"Which pairs talk at a steady beat? A beacon has many connections and little spread.",
			`SELECT client_ip, server_ip, server_port, COUNT(*) AS connections,
       (UNIX_TIMESTAMP(MAX(ts)) - UNIX_TIMESTAMP(MIN(ts))) / (COUNT(*) - 1) AS mean_gap_seconds
FROM connections WHERE protocol = 'tcp'
GROUP BY client_ip, server_ip, server_port HAVING COUNT(*) >= 10
ORDER BY connections DESC LIMIT 20`},
		{"What was tried and refused?",
			`SELECT client_ip, COUNT(DISTINCT server_ip) AS servers, COUNT(DISTINCT server_port) AS ports, COUNT(*) AS tries
FROM connections WHERE conn_state IN ('S0', 'REJ', 'RSTR')
GROUP BY client_ip ORDER BY tries DESC LIMIT 20`},
	},
	"wiresql.traffic_1m": {
		{"How much went in and out, minute by minute?",
			`SELECT ts, direction, SUM(bytes) * 8 / 60 AS bits_per_second, SUM(connections) AS connections
FROM traffic_1m GROUP BY ts, direction ORDER BY ts, direction`},
		{"Which service moved most in each quarter of an hour?",
			`SELECT FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 900 * 900) AS quarter, service, SUM(bytes) AS bytes
FROM traffic_1m GROUP BY quarter, service ORDER BY quarter, bytes DESC`},
		{"Which minutes had the most connections?",
			`SELECT ts, SUM(connections) AS connections, SUM(packets) AS packets
FROM traffic_1m GROUP BY ts ORDER BY connections DESC LIMIT 20`},
	},
	"wiresql.rates": {
		{"Which seconds were busiest?",
			`SELECT ts, SUM(packets) AS packets, SUM(bytes) * 8 AS bits FROM rates
GROUP BY ts ORDER BY packets DESC LIMIT 20`},
		{"Was there a SYN flood: many SYNs a second, most of them new flows?",
			`SELECT ts, observer, SUM(syns) AS syns, SUM(new_flows) AS new_flows FROM rates
WHERE protocol = 'tcp' GROUP BY ts, observer HAVING SUM(syns) > 1000 ORDER BY syns DESC`},
		{"When did a sensor drop packets, and how many came then?",
			`SELECT ts, observer, SUM(drops) AS drops, SUM(packets) AS packets FROM rates
GROUP BY ts, observer HAVING SUM(drops) > 0 ORDER BY ts`},
	},
	"wiresql.traffic_1h": {
		{"How much did each observer carry, hour by hour?",
			`SELECT ts, observer, SUM(bytes) AS bytes FROM traffic_1h GROUP BY ts, observer ORDER BY ts, observer`},
		{"What share of the bytes has each protocol?",
			`SELECT protocol, SUM(bytes) AS bytes, 100 * SUM(bytes) / (SELECT SUM(bytes) FROM traffic_1h) AS percent
FROM traffic_1h GROUP BY protocol ORDER BY bytes DESC`},
		{"How does a day look, by the hour?",
			`SELECT HOUR(ts) AS hour, SUM(bytes) AS bytes, SUM(connections) AS connections
FROM traffic_1h GROUP BY HOUR(ts) ORDER BY hour`},
	},
	"wiresql.flows": {
		{"How much did each observer report?",
			`SELECT observer, source_type, COUNT(*) AS records, SUM(total_bytes) AS bytes
FROM flows GROUP BY observer, source_type`},
		{"Which rows are pieces of one long conversation?",
			`SELECT f.ts, f.ts_end, f.end_reason, f.total_bytes
FROM flows f JOIN connections c USING (conn_id)
WHERE c.duration > 60 ORDER BY f.conn_id, f.ts LIMIT 50`},
		{"Which destinations in 10.0.0.0/8 were reached, by port?",
			`SELECT dst_ip, dst_port, protocol, SUM(total_packets) AS packets
FROM flows WHERE ip_in(dst_ip, '10.0.0.0/8')
GROUP BY dst_ip, dst_port, protocol ORDER BY packets DESC LIMIT 20`},
	},
	"wiresql.flows_wide": {
		{"Which round trips were slow?",
			`SELECT ts, src_ip, dst_ip, dst_port, rtt_us FROM flows_wide
WHERE rtt_us IS NOT NULL ORDER BY rtt_us DESC LIMIT 20`},
		{"Which MAC addresses spoke for which address?",
			`SELECT src_mac, src_ip, COUNT(*) AS records FROM flows_wide
GROUP BY src_mac, src_ip ORDER BY records DESC LIMIT 20`},
		{"Which interfaces of which exporter carry most?",
			`SELECT observer, in_if, out_if, SUM(bytes * COALESCE(sampling_rate, 1)) AS bytes FROM flows_wide
WHERE source_type <> 'packets' GROUP BY observer, in_if, out_if ORDER BY bytes DESC LIMIT 20`},
		{"What ran inside tunnels?",
			`SELECT tunnel_type, tunnel_id, outer_src_ip, outer_dst_ip, COUNT(*) AS records
FROM flows_wide WHERE tunnel_type IS NOT NULL
GROUP BY tunnel_type, tunnel_id, outer_src_ip, outer_dst_ip`},
	},
	"wiresql.packets": {
		{"The packets behind the founding question",
			`SELECT p.ts, p.src_ip, p.dst_ip, p.info
FROM connections c JOIN packets p USING (conn_id)
WHERE c.client_host = 'gavin.reid-machine' AND c.server_port = 80
  AND overlaps(c.ts, c.ts_end, '2026-06-12 10:15', '2026-06-12 10:30')
ORDER BY p.ts LIMIT 50`},
		{"What passed in these ten seconds?",
			`SELECT ts, src_ip, src_port, dst_ip, dst_port, protocol, length, info FROM packets
WHERE ts >= '2026-06-12 10:15:00' AND ts < '2026-06-12 10:15:10' ORDER BY ts`},
		{"Top destination ports by packets and bytes: answered from flow rows, no packet is read",
			`SELECT dst_port, COUNT(*) AS packets, SUM(length) AS bytes FROM packets
GROUP BY dst_port ORDER BY packets DESC, dst_port LIMIT 20`},
	},
	"wiresql.packets_wide": {
		{"Which sequence numbers came more than once in a connection?",
			`SELECT w.conn_id, w.src_ip, w.tcp_seq, COUNT(*) AS times
FROM connections c JOIN packets_wide w USING (conn_id)
WHERE c.server_port = 80 AND w.payload_length > 0
GROUP BY w.conn_id, w.src_ip, w.tcp_seq HAVING COUNT(*) > 1 ORDER BY times DESC LIMIT 20`},
		{"What is not IP?",
			`SELECT ether_type, src_mac, dst_mac, info FROM packets_wide
WHERE src_ip IS NULL AND ts >= '2026-06-12 10:15' AND ts < '2026-06-12 10:30' ORDER BY ts LIMIT 20`},
		{"Which packets were cut by the capture?",
			`SELECT ts, src_ip, dst_ip, length, caplen FROM packets_wide
WHERE caplen < length AND ts >= '2026-06-12 10:15' AND ts < '2026-06-12 10:30' LIMIT 20`},
	},
	"wiresql.packet_bytes": {
		{"What was asked for over HTTP?",
			`SELECT b.ts, b.dst_ip, printable(b.payload) AS request
FROM connections c JOIN packet_bytes b USING (conn_id)
WHERE c.client_host = 'gavin.reid-machine' AND c.server_port = 80 AND b.dst_port = 80 AND b.payload_length > 0
ORDER BY b.ts LIMIT 20`},
		{"Which of these packets hold a word?",
			`SELECT b.ts, b.src_ip, b.dst_ip, b.length
FROM connections c JOIN packet_bytes b USING (conn_id)
WHERE c.server_port = 80 AND contains(b.payload, 'Host: ') ORDER BY b.ts LIMIT 20`},
		{"The frames of one connection as a hex dump",
			`SELECT b.ts, hexdump(b.frame) AS dump
FROM connections c JOIN packet_bytes b USING (conn_id)
WHERE c.server_port = 80 ORDER BY b.ts LIMIT 3`},
	},
	"wiresql.timeline": {
		{"Show me everything gavin.reid-machine did.",
			`SELECT ts, kind, peer_ip, peer_port, summary, bytes_out, bytes_in, conn_id FROM timeline
WHERE host = 'gavin.reid-machine' AND ts BETWEEN '2026-06-12 10:00' AND '2026-06-12 11:00' ORDER BY ts LIMIT 200`},
		{"What was asked of this address, and by whom?",
			`SELECT ts, kind, peer_ip, peer_host, summary FROM timeline
WHERE ip = '10.20.0.23' AND role = 'server' ORDER BY ts LIMIT 50`},
		{"Which machines did what, how often?",
			`SELECT ip, kind, role, COUNT(*) AS times, MIN(ts) AS first, MAX(ts) AS last FROM timeline
WHERE is_private(ip) GROUP BY ip, kind, role ORDER BY ip, kind, role LIMIT 50`},
		{"The packets of what it looked up, in the order of the look-ups",
			`SELECT t.ts, t.summary, p.info FROM timeline t JOIN packets p ON p.flow_id = t.flow_id
WHERE t.host = 'gavin.reid-machine' AND t.kind = 'dns' ORDER BY t.ts, p.ts LIMIT 20`},
	},
	"wiresql.host_flows": {
		{"Everything one address did, whichever end it was",
			`SELECT ts, role, peer_ip, peer_port, service, bytes_out, bytes_in FROM host_flows
WHERE host = 'gavin.reid-machine' ORDER BY ts LIMIT 50`},
		{"Which host has most peers?",
			`SELECT ip, host, COUNT(DISTINCT peer_ip) AS peers FROM host_flows
GROUP BY ip, host ORDER BY peers DESC, ip LIMIT 20`},
		{"How much did each inside host send and receive?",
			`SELECT ip, SUM(bytes_out) AS sent, SUM(bytes_in) AS received FROM host_flows
WHERE is_private(ip) GROUP BY ip ORDER BY sent DESC LIMIT 20`},
	},
	"wiresql.hosts": {
		{"Which addresses did this host have?",
			`SELECT ip, mac, ts, ts_end, source FROM hosts WHERE name = 'gavin.reid-machine' ORDER BY ts`},
		{"Who had this address when?",
			`SELECT name, ts, ts_end, source FROM hosts WHERE ip = '10.20.0.23' ORDER BY ts`},
		{"Which addresses changed hands?",
			`SELECT ip, COUNT(DISTINCT name) AS names FROM hosts
WHERE source = 'dhcp' GROUP BY ip HAVING COUNT(DISTINCT name) > 1`},
	},
	"wiresql.dns": {
		{"What did a host look up?",
			`SELECT ts, query, qtype, rcode, answers FROM dns
WHERE client_host = 'gavin.reid-machine' ORDER BY ts LIMIT 50`},
		{"Which names do not exist, and who asks for them?",
			`SELECT query, COUNT(*) AS times, COUNT(DISTINCT client_ip) AS clients FROM dns
WHERE rcode = 'NXDOMAIN' GROUP BY query ORDER BY times DESC LIMIT 20`},
		{"The two packets of each lookup of a name, question and answer",
			`SELECT p.ts, p.src_ip, p.dst_ip, p.info FROM dns d JOIN packets p ON p.packet_id = d.query_packet_id WHERE d.query LIKE '%.test'
UNION ALL
SELECT p.ts, p.src_ip, p.dst_ip, p.info FROM dns d JOIN packets p ON p.packet_id = d.answer_packet_id WHERE d.query LIKE '%.test'
ORDER BY ts LIMIT 20`},
		{"All packets of the flows a name was looked up in",
			`SELECT ts, src_ip, dst_ip, info FROM packets
WHERE flow_id IN (SELECT flow_id FROM dns WHERE query LIKE '%.test') ORDER BY ts LIMIT 20`},
		{"Tunnels: long names, each asked for once",
			`SELECT client_ip, SUBSTRING_INDEX(query, '.', -2) AS domain, COUNT(DISTINCT query) AS names, AVG(query_length) AS length
FROM dns GROUP BY client_ip, domain HAVING names > 100 AND length > 30`},
	},
	"wiresql.dns_answers": {
		{"Which names led to an address?",
			`SELECT query, COUNT(*) AS times, COUNT(DISTINCT client_ip) AS clients, MIN(ts) AS first FROM dns_answers
WHERE address = '10.30.0.80' GROUP BY query ORDER BY times DESC`},
		{"Connections to addresses that a name gave to their client within the hour before",
			`SELECT c.ts, c.client_ip, c.server_ip, c.server_port, a.query FROM dns_answers a JOIN connections c ON c.server_ip = a.address AND c.client_ip = a.client_ip
WHERE a.query LIKE '%.test' AND c.ts >= a.ts AND c.ts < a.ts + INTERVAL 1 HOUR ORDER BY c.ts LIMIT 20`},
		{"Names that change their addresses quickly",
			`SELECT query, COUNT(DISTINCT address) AS addresses, MIN(ttl) AS ttl FROM dns_answers
WHERE address IS NOT NULL GROUP BY query HAVING addresses > 3 ORDER BY addresses DESC LIMIT 20`},
	},
	"wiresql.tls": {
		{"Who speaks TLS as this tool does? JA4 does not change with the order of extensions",
			`SELECT ts, client_ip, client_host, server_ip, server_port, server_name FROM tls
WHERE ja4 = 't13d1516h2_8daaf6152771_e5627efa2ab1' ORDER BY ts LIMIT 50`},
		{"Fingerprints that few clients have",
			`SELECT ja4, COUNT(DISTINCT client_ip) AS clients, COUNT(*) AS times, MIN(server_name) AS a_server FROM tls
WHERE ja4 IS NOT NULL GROUP BY ja4 ORDER BY clients, times LIMIT 20`},
		{"Servers whose certificate they signed themselves, or that is over",
			`SELECT server_ip, server_port, subject, issuer, not_after, COUNT(*) AS times FROM tls
WHERE self_signed OR not_after < ts GROUP BY server_ip, server_port, subject, issuer, not_after ORDER BY times DESC LIMIT 20`},
		{"TLS on ports that are not its own",
			`SELECT server_ip, server_port, server_name, COUNT(*) AS times FROM tls
WHERE server_port NOT IN (443, 8443, 993, 995, 465, 587, 853, 636) GROUP BY server_ip, server_port, server_name ORDER BY times DESC LIMIT 20`},
		{"The packet a handshake begins in",
			`SELECT t.server_name, p.ts, p.length, p.info FROM tls t JOIN packets p USING (packet_id)
WHERE t.client_host = 'gavin.reid-machine' ORDER BY p.ts LIMIT 20`},
	},
	"wiresql.http": {
		{"What did a host ask for over HTTP?",
			`SELECT ts, method, host, uri, status, response_length FROM http
WHERE client_host = 'gavin.reid-machine' ORDER BY ts LIMIT 50`},
		{"User agents that few machines have",
			`SELECT user_agent, COUNT(DISTINCT client_ip) AS clients, COUNT(*) AS requests, MIN(host) AS a_host FROM http
GROUP BY user_agent ORDER BY clients, requests LIMIT 20`},
		{"Programs that were fetched",
			`SELECT ts, client_ip, client_host, host, uri, file_name, content_type, response_length FROM http
WHERE status = 200 AND (uri REGEXP '[.](exe|dll|ps1|msi|scr|hta)([?]|$)' OR content_type LIKE 'application/x-%dos%') ORDER BY ts LIMIT 50`},
		{"Who sends more than is answered? Uploads, also in small parts",
			`SELECT client_ip, host, SUM(request_length) AS sent, SUM(response_length) AS received, COUNT(*) AS requests FROM http
GROUP BY client_ip, host HAVING sent > received ORDER BY sent DESC LIMIT 20`},
		{"Passwords that went in clear",
			`SELECT ts, client_ip, client_host, server_ip, host, username FROM http WHERE username IS NOT NULL ORDER BY ts LIMIT 50`},
	},
	"wiresql.logins": {
		{"Who logged in to what from a host?",
			`SELECT ts, protocol, username, domain, server_ip, service, outcome, error FROM logins
WHERE client_host = 'gavin.reid-machine' ORDER BY ts LIMIT 50`},
		{"Tickets that are cracked fast: who asked for them, and for how many services?",
			`SELECT client_ip, username, COUNT(DISTINCT service) AS services, MIN(ts) AS first FROM logins
WHERE protocol = 'kerberos_tgs' AND ticket_etype LIKE 'rc4%' GROUP BY client_ip, username ORDER BY services DESC LIMIT 20`},
		{"One machine, many users that fail",
			`SELECT client_ip, COUNT(DISTINCT username) AS users, GROUP_CONCAT(DISTINCT error ORDER BY error) AS errors FROM logins
WHERE outcome = 'failure' GROUP BY client_ip HAVING users > 5 ORDER BY users DESC LIMIT 20`},
		{"SSH programs that few machines have",
			`SELECT hassh, MIN(client_software) AS software, COUNT(DISTINCT client_ip) AS clients FROM logins
WHERE protocol = 'ssh' GROUP BY hassh ORDER BY clients LIMIT 20`},
		{"Passwords that passed in clear",
			`SELECT ts, protocol, client_ip, server_ip, username, outcome FROM logins WHERE cleartext ORDER BY ts LIMIT 50`},
	},
	"wiresql.files": {
		{"Who read which file?",
			`SELECT ts, username, client_ip, client_host, server_ip, share, name, bytes_read FROM files
WHERE action = 'read' ORDER BY ts LIMIT 50`},
		{"What was done to a file?",
			`SELECT ts, action, username, client_ip, client_host, protocol, share, name, new_name, status FROM files
WHERE name LIKE '%plan%' ORDER BY ts LIMIT 50`},
		{"Programs that were put on other machines",
			`SELECT ts, username, client_ip, server_ip, share, name, bytes_written FROM files
WHERE share IN ('admin$', 'c$') AND action IN ('write', 'create') ORDER BY ts LIMIT 50`},
		{"Who is refused, and how often?",
			`SELECT client_ip, client_host, server_ip, share, status, COUNT(*) AS times FROM files
WHERE status LIKE '%DENIED%' GROUP BY client_ip, client_host, server_ip, share, status ORDER BY times DESC LIMIT 20`},
	},
	"wiresql.rpc": {
		{"Services and tasks that were made on other machines",
			`SELECT ts, username, client_ip, client_host, server_ip, interface, operation, status FROM rpc
WHERE operation IN ('CreateServiceW', 'CreateServiceA', 'StartServiceW', 'SchRpcRegisterTask', 'NetrJobAdd') ORDER BY ts LIMIT 50`},
		{"Who asks domain controllers for everybody's secrets?",
			`SELECT ts, username, client_ip, client_host, server_ip FROM rpc
WHERE interface = 'drsuapi' AND operation = 'DRSGetNCChanges' ORDER BY ts LIMIT 50`},
		{"Which interfaces does a machine use?",
			`SELECT interface, operation, named_pipe, COUNT(*) AS calls, COUNT(DISTINCT server_ip) AS servers FROM rpc
WHERE client_host = 'gavin.reid-machine' GROUP BY interface, operation, named_pipe ORDER BY calls DESC LIMIT 50`},
	},
	"wiresql.mail": {
		{"What came by mail, and with which files?",
			`SELECT ts, header_from, rcpt_to, subject, attachments, outcome FROM mail
WHERE attachments IS NOT NULL ORDER BY ts LIMIT 50`},
		{"Messages that show another sender than they came from",
			`SELECT ts, client_ip, client_host, mail_from, header_from, reply_to, subject FROM mail
WHERE header_from IS NOT NULL AND mail_from <> '<>' AND LOCATE(SUBSTRING_INDEX(mail_from, '@', -1), LOWER(header_from)) = 0 ORDER BY ts LIMIT 50`},
		{"Who is refused, and why?",
			`SELECT client_ip, client_host, server_ip, reply, COUNT(*) AS times, MIN(ts) AS first_seen FROM mail
WHERE outcome = 'refused' GROUP BY client_ip, client_host, server_ip, reply ORDER BY times DESC LIMIT 20`},
	},
	"wiresql.arp": {
		{"Addresses that two machines claim in turn",
			`SELECT ip, mac, previous_mac, COUNT(*) AS times, MIN(ts) AS since FROM arp
WHERE previous_mac IS NOT NULL GROUP BY ip, mac, previous_mac ORDER BY times DESC LIMIT 20`},
		{"Who looks for many neighbours?",
			`SELECT mac, ip, host, COUNT(DISTINCT asked_ip) AS asked, SUM(packets) AS packets FROM arp
WHERE kind = 'request' GROUP BY mac, ip, host ORDER BY asked DESC LIMIT 20`},
		{"Which machine had an address, by its MAC?",
			`SELECT mac, MIN(ts) AS since, MAX(ts_end) AS until, SUM(packets) AS packets FROM arp
WHERE ip = '192.168.1.1' AND kind <> 'probe' GROUP BY mac ORDER BY since`},
	},
	"wiresql.notices": {
		{"What is odd, and how often?",
			`SELECT severity, kind, COUNT(*) AS times, COUNT(DISTINCT client_ip) AS clients, MIN(ts) AS since FROM notices
GROUP BY severity, kind ORDER BY times DESC`},
		{"Passwords that passed in clear, with their connections",
			`SELECT ts, client_ip, client_host, server_ip, detail, conn_id FROM notices
WHERE kind = 'cleartext_password' ORDER BY ts LIMIT 50`},
		{"What is odd about a machine?",
			`SELECT ts, kind, severity, server_ip, server_host, detail FROM notices
WHERE client_host = 'gavin.reid-machine' ORDER BY ts LIMIT 50`},
	},
	"wiresql.oddities": {
		{"Whose bytes were sent twice, and not the same? Injection, or evasion",
			`SELECT ts, client_ip, server_ip, server_port, sent_by, bytes, packet_id, conn_id FROM oddities
WHERE kind = 'tcp_conflict' ORDER BY ts LIMIT 50`},
		{"How much of what was read is missing, by the hour and sensor?",
			`SELECT sensor, time_bucket('1 hour', ts) AS hour, COUNT(DISTINCT conn_id) AS connections, SUM(packets) AS gaps, SUM(bytes) AS missing FROM oddities
WHERE kind = 'tcp_gap' GROUP BY sensor, hour ORDER BY hour, sensor`},
		{"The packets that were odd",
			`SELECT o.kind, p.ts, p.info FROM oddities o JOIN packets p ON p.packet_id = o.packet_id ORDER BY p.ts LIMIT 20`},
	},
	"wiresql.icmp": {
		{"Who was told that whom cannot be reached?",
			`SELECT dst_ip, dst_host, src_ip, icmp_type, icmp_code, inner_dst_ip, inner_dst_port, SUM(packets) AS packets FROM icmp
WHERE inner_protocol IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY packets DESC LIMIT 20`},
		{"Echoes that carry more than ping sends: a tunnel?",
			`SELECT src_ip, src_host, dst_ip, SUM(packets) AS packets, SUM(bytes) AS carried, MAX(max_length) AS most FROM icmp
WHERE icmp_type IN (0, 8, 128, 129) AND max_length > 100 GROUP BY src_ip, src_host, dst_ip ORDER BY carried DESC LIMIT 20`},
		{"Which connections were refused by a router on the way?",
			`SELECT c.ts, c.client_ip, c.server_ip, c.server_port, i.src_ip AS said_by, i.icmp_type, i.icmp_code
FROM icmp i JOIN connections c ON c.conn_id = i.inner_conn_id ORDER BY c.ts LIMIT 20`},
	},
	"wiresql.dhcp": {
		{"Which machines came to the network, and as what?",
			`SELECT mac, name, vendor_class, parameter_list, MIN(ts) AS first_seen FROM dhcp
WHERE message IN ('discover', 'request', 'solicit') GROUP BY mac, name, vendor_class, parameter_list ORDER BY first_seen LIMIT 50`},
		{"Who gives out addresses? More than one may be one too many",
			`SELECT version, server_ip, server_host, COUNT(*) AS leases, COUNT(DISTINCT mac) AS machines FROM dhcp
WHERE message IN ('ack', 'reply') GROUP BY version, server_ip, server_host ORDER BY leases DESC`},
		{"What was refused?",
			`SELECT ts, mac, name, client_ip, server_ip, message, requested_ip FROM dhcp
WHERE message IN ('nak', 'decline') ORDER BY ts LIMIT 50`},
	},
	"ops.imports": {
		{"What was imported, and is any of it damaged?",
			`SELECT file, state, packets, damage_offset, damage FROM ops.imports ORDER BY imported_at`},
		{"How much came from each sensor?",
			`SELECT sensor, COUNT(*) AS files, SUM(packets) AS packets, SUM(bytes) AS bytes FROM ops.imports GROUP BY sensor`},
		{"What does the archive span?",
			`SELECT MIN(ts) AS first, MAX(ts_end) AS last FROM ops.imports`},
	},
	"ops.segments": {
		{"Which packet files are there?",
			`SELECT segment, sensor, path, packets, bytes, state FROM ops.segments ORDER BY segment`},
		{"Which packets are gone?",
			`SELECT segment, path, ts, ts_end, state FROM ops.segments WHERE state <> 'available'`},
		{"How much disk do packets take?",
			`SELECT sensor, SUM(bytes) AS bytes, SUM(packets) AS packets FROM ops.segments GROUP BY sensor`},
	},
	"ops.roots": {
		{"Is each disk there, and how much is on it?",
			`SELECT root, path, state, segments, bytes, oldest, disk_free FROM ops.roots ORDER BY root`},
		{"Packets of which time are on disks that are not there?",
			`SELECT r.root, r.path, MIN(s.ts) AS first, MAX(s.ts_end) AS last, SUM(s.packets) AS packets FROM ops.roots r
JOIN ops.segments s ON s.path LIKE CONCAT('roots/', r.root, '/%') WHERE r.state = 'missing' GROUP BY r.root, r.path`},
		{"How full is each disk?",
			`SELECT root, path, ROUND(100 - 100 * disk_free / disk_size, 1) AS percent FROM ops.roots WHERE state = 'available' ORDER BY percent DESC`},
	},
	"ops.pins": {
		{"What is pinned, and for whom.",
			`SELECT case_name, account, pinned_at, predicate, COUNT(segment) AS packet_files FROM ops.pins GROUP BY case_name, account, pinned_at, predicate`},
		{"How much of the disk it keeps.",
			`SELECT COUNT(*) AS files, SUM(bytes) AS bytes FROM ops.segments WHERE state = 'available' AND segment IN (SELECT segment FROM ops.pins)`},
		{"Pinned, and gone before it was.",
			`SELECT case_name, segment FROM ops.pins WHERE segment IN (SELECT segment FROM ops.segments WHERE state <> 'available') ORDER BY segment`},
	},
	"hunt.hunts": {
		{"Which hunts look for theft, and how is what they find read?",
			`SELECT name, question, how_to_read FROM hunt.hunts WHERE techniques LIKE '%T1041%' OR techniques LIKE '%T1048%' ORDER BY name`},
		{"What may be said to a hunt?",
			`SELECT name, parameters FROM hunt.hunts WHERE name = 'beaconing'`},
		{"Files of the directory of hunts that can't be read.",
			`SELECT file, error FROM hunt.hunts WHERE error IS NOT NULL ORDER BY file`},
	},
	"hunt.schedules": {
		{"Which hunts run by themselves, and do they?",
			`SELECT schedule, hunt, every, last_run, next_run, findings, failures, error FROM hunt.schedules ORDER BY failures DESC, schedule`},
		{"Up to when was everything looked through?",
			`SELECT schedule, hunted_to FROM hunt.schedules ORDER BY hunted_to`},
		{"Whose rights do they have, and whom do they tell?",
			`SELECT schedule, account, notify, pins, parameters FROM hunt.schedules ORDER BY schedule`},
	},
	"hunt.runs": {
		{"Which runs failed, or found more than they keep?",
			`SELECT ts, schedule, outcome, error FROM hunt.runs WHERE outcome IN ('failed', 'truncated') ORDER BY ts DESC`},
		{"Which runs found nothing, but could not look at everything?",
			`SELECT ts, schedule, from_ts, to_ts, warnings FROM hunt.runs WHERE row_count = 0 AND warnings IS NOT NULL ORDER BY ts DESC`},
		{"What do they cost?",
			`SELECT schedule, COUNT(*) AS runs, AVG(duration) AS seconds, MAX(duration) AS longest, SUM(new_findings) AS found FROM hunt.runs GROUP BY schedule ORDER BY seconds DESC`},
	},
	"hunt.results": {
		{"What is new and not looked at, what matters most first?",
			`SELECT found_at, severity, title, finding_key, times, finding FROM hunt.results WHERE status = 'open'
ORDER BY FIELD(severity, 'critical', 'high', 'medium', 'low', 'info'), found_at DESC LIMIT 100`},
		{"Which machines did several hunts find?",
			`SELECT JSON_UNQUOTE(JSON_EXTRACT(row_json, '$.client_ip')) AS machine, COUNT(DISTINCT hunt) AS hunts, GROUP_CONCAT(DISTINCT hunt) AS which
FROM hunt.results GROUP BY machine HAVING machine IS NOT NULL AND hunts > 1 ORDER BY hunts DESC`},
		{"What goes on although somebody closed it?",
			`SELECT finding, title, finding_key, status_by, status_at, last_seen FROM hunt.results WHERE status = 'closed' AND last_seen > status_at`},
	},
	"hunt.deliveries": {
		{"What was not told, and why?",
			`SELECT target, finding, state, attempts, last_attempt, error FROM hunt.deliveries WHERE state <> 'delivered' ORDER BY target, last_attempt`},
		{"Whom was a finding told to?",
			`SELECT r.title, d.target, d.state, d.last_attempt FROM hunt.results r JOIN hunt.deliveries d USING (finding) ORDER BY d.last_attempt DESC LIMIT 20`},
		{"Which targets fail?",
			`SELECT target, COUNT(*) AS findings, SUM(state = 'waiting') AS waiting, SUM(state = 'given_up') AS given_up FROM hunt.deliveries GROUP BY target`},
	},
	"hunt.cases": {
		{"What is known about a case?",
			`SELECT ts, account, about, tags, note FROM hunt.cases WHERE case_name = 'case-17' ORDER BY ts`},
		{"What did anybody note about a finding?",
			`SELECT r.title, r.finding_key, c.case_name, c.account, c.note FROM hunt.cases c JOIN hunt.results r ON r.finding = c.about ORDER BY c.ts`},
		{"Which cases have packets that stay?",
			`SELECT DISTINCT c.case_name FROM hunt.cases c JOIN ops.pins p ON p.case_name = c.case_name`},
	},
	"ops.evictions": {
		{"What is gone of each kind, and since when nothing is.",
			`SELECT family, reason, COUNT(*) AS files, SUM(bytes) AS bytes, MAX(ts_end) AS gone_until FROM ops.evictions GROUP BY family, reason`},
		{"What went in the last day.",
			`SELECT evicted_at, family, sensor, ts, ts_end, row_count, packets, bytes, reason FROM ops.evictions
WHERE evicted_at > NOW() - INTERVAL 1 DAY ORDER BY evicted_at`},
		{"Packet files that had to go because the disk was full.",
			`SELECT segment, sensor, ts, ts_end, packets FROM ops.evictions WHERE family = 'packets' AND reason = 'disk' ORDER BY segment`},
	},
	"ops.coverage": {
		{"When was anything recorded?",
			`SELECT sensor, MIN(ts) AS first, MAX(ts_end) AS last, SUM(packets) AS packets FROM ops.coverage GROUP BY sensor`},
		{"Was a given moment recorded?",
			`SELECT sensor, interface, ts, ts_end FROM ops.coverage
WHERE overlaps(ts, ts_end, '2026-06-12 10:15', '2026-06-12 10:30')`},
		{"Where were packets lost?",
			`SELECT sensor, interface, ts, ts_end, drops FROM ops.coverage WHERE drops > 0`},
	},
	"ops.exporters": {
		{"Who sends flow records, and is anything lost?",
			`SELECT observer, source_type, last_seen, datagrams, records, missing, sequence_unit, undecodable, kernel_drops
FROM ops.exporters ORDER BY records DESC`},
		{"Which exporter sends data nobody can read yet, because its template has not come?",
			`SELECT observer, observation_domain_id, known_templates, waiting, expired, last_error
FROM ops.exporters WHERE waiting > 0 OR expired > 0`},
		{"Whose clock is wrong by more than a second?",
			`SELECT observer, exporter, clock_offset_us / 1000000 AS seconds FROM ops.exporters
WHERE ABS(clock_offset_us) > 1000000 ORDER BY ABS(clock_offset_us) DESC`},
	},
	"ops.sockets": {
		{"Is every datagram accounted for?",
			`SELECT socket, SUM(sent) AS sent,
       SUM(decoded + undecodable + waited + refused + queue_drops + kernel_drops) AS accounted
FROM ops.sockets GROUP BY socket`},
		{"In which minutes was the kernel's buffer too small?",
			`SELECT ts, socket, kernel_drops, buffer_bytes FROM ops.sockets WHERE kernel_drops > 0 ORDER BY ts`},
		{"How many datagrams a second, at the busiest?",
			`SELECT ts, socket, received / 60 AS per_second FROM ops.sockets ORDER BY received DESC LIMIT 10`},
	},
	"ops.capture_loss": {
		{"What was lost, by reason?",
			`SELECT reason, unit, observer, socket, SUM(lost) AS lost, MIN(ts) AS first, MAX(ts_end) AS last
FROM ops.capture_loss GROUP BY reason, unit, observer, socket ORDER BY reason, lost DESC`},
		{"Was anything lost in this quarter of an hour?",
			`SELECT ts, ts_end, observer, socket, reason, lost, unit FROM ops.capture_loss
WHERE overlaps(ts, ts_end, '2026-06-12 10:15', '2026-06-12 10:30') ORDER BY ts`},
		{"Who sends to us and is not on the list?",
			`SELECT socket, MIN(ts) AS since, SUM(lost) AS datagrams FROM ops.capture_loss
WHERE reason = 'refused' GROUP BY socket`},
	},
	"ops.damage": {
		{"What is missing, of when?",
			`SELECT family, ts, ts_end, lost, reason, file FROM ops.damage ORDER BY family, ts`},
		{"Are the connections of that morning complete?",
			`SELECT COUNT(*) AS damages FROM ops.damage WHERE family = 'connections' AND (ts IS NULL OR overlaps(ts, ts_end, '2026-06-12 06:00', '2026-06-12 12:00'))`},
		{"Of what is most missing?",
			`SELECT family, reason, COUNT(*) AS damages, SUM(lost) AS lost FROM ops.damage GROUP BY family, reason ORDER BY lost DESC`},
	},
	"ops.query_log": {
		{"What took longest?",
			`SELECT ts, account, duration, packets, packet_bytes, statement FROM ops.query_log ORDER BY duration DESC LIMIT 10`},
		{"What was refused, and why?",
			`SELECT error, COUNT(*) AS times, MAX(statement) AS such_as FROM ops.query_log WHERE outcome = 'failed' GROUP BY error ORDER BY times DESC`},
		{"Who read how much of the packets today?",
			`SELECT account, COUNT(*) AS statements, SUM(packets) AS packets, SUM(packet_bytes) AS bytes
FROM ops.query_log WHERE ts >= CURDATE() GROUP BY account ORDER BY bytes DESC`},
	},
}
