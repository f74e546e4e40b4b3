package pushdown

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// view says how a relation is made from stored rows. In expressions {x} is the
// stored column x.
type view struct {
	family string
	row    reflect.Type
	// exprs are the physical columns that are not stored under their name.
	exprs map[string]string
	// hosts are the columns of names, each with the stored address it names.
	hosts map[string]string
	where string
	// only and never list, by column, the values its rows can have, or never
	// have: a condition on them can leave out the whole family.
	only, never map[string][]string
	// ports: the column service is not stored but found by the ports.
	ports bool
	// group are expressions that rows are grouped by; those of the columns are
	// aggregates then.
	group []string
	// having leaves out groups.
	having string
	// grain is how far from a row's own times the stored rows lie that it is
	// made of.
	grain tables.Time
	// make writes the whole SELECT; beside are the other families it reads.
	make   func(fields []Field, src Source) string
	beside []string
	// also is another view whose rows are appended.
	also *view
}

const (
	exprDuration  = "(epoch_us({ts_end}) - epoch_us({ts})) / 1e6"
	exprProtocol  = "wiresql_protocol({protocol_number})"
	exprTotal     = "wiresql_total({%[1]s}, {%[2]s})"
	exprCommunity = "wiresql_community_id({%[1]s_hi}, {%[1]s_lo}, {%[2]s_hi}, {%[2]s_lo}, " +
		// An ICMP conversation's type and code stand in for its ports.
		"CASE WHEN {protocol_number} IN (1, 58) THEN coalesce({icmp_type}, 0) ELSE {%[1]s_port} END, " +
		"CASE WHEN {protocol_number} IN (1, 58) THEN coalesce({icmp_code}, 0) ELSE {%[2]s_port} END, " +
		"{protocol_number})"
	exprDirection = "wiresql_direction({%[1]s_hi}, {%[1]s_lo}, {%[2]s_hi}, {%[2]s_lo})"

	// exprConversation is the conversation of a metered row, whatever its packets
	// are counted as.
	exprConversation = "coalesce({joined_id}, {conn_id})"

	// exprURIName is the last part of a URI's path; NULL of a folder.
	exprURIName = "nullif(regexp_extract({uri}, '/([^/?#]+)([?#].*)?$', 1), '')"

	// exprFileID is files.file_id of a protocol.
	exprFileID = "%s || '-' || wiresql_id_text({conn_id}) || '-' || wiresql_id_text({packet_id})"

	// exprReported undoes the widening of an end to its clock's last instant.
	exprReported = "((epoch_us({ts_end}) - epoch_us({ts})) // {resolution} * {resolution}) / 1e6"

	// exprCounters tells whether a counter is the largest there is, which none
	// is that was not cut to it.
	exprCounters = "CASE WHEN greatest({bytes}, {packets}, {reverse_bytes}, {reverse_packets}) = %d THEN %s ELSE %s END"

	// exprService is the server's of two ports, as the meter chooses it: the
	// one that is listed, of two the one below 1024, else the destination.
	exprService = "CASE WHEN d.name IS NULL OR s.port < 1024 AND d.port >= 1024 THEN coalesce(s.name, d.name) ELSE d.name END"
)

// portServices joins the services of a row's port.
func portServices(alias, end string) string {
	return fmt.Sprintf("\n  LEFT JOIN wiresql_services %[1]s ON %[1]s.protocol = {protocol_number} AND %[1]s.port = {%[2]s_port}", alias, end)
}

// flowExprs are the columns that metered rows and exporters' have in common.
func flowExprs() map[string]string {
	return with(addresses("src_ip", "src", "dst_ip", "dst", "outer_src_ip", "outer_src", "outer_dst_ip", "outer_dst"), map[string]string{
		"protocol":          exprProtocol,
		"total_bytes":       fmt.Sprintf(exprTotal, "bytes", "reverse_bytes"),
		"total_packets":     fmt.Sprintf(exprTotal, "packets", "reverse_packets"),
		"tcp_flags":         "wiresql_tcp_flags({tcp_flags_number})",
		"reverse_tcp_flags": "wiresql_tcp_flags({reverse_tcp_flags_number})",
		"direction":         fmt.Sprintf(exprDirection, "src", "dst"),
		"community_id":      fmt.Sprintf(exprCommunity, "src", "dst"),
	})
}

// packetStatus and evictedAt are filled in per query: they depend on what is gone.
const (
	packetStatus = "packet_status"
	evictedAt    = "evicted_at"
)

// ReadsAbsence tells whether columns depend on which packets are gone.
func ReadsAbsence(columns []string) bool {
	return slices.Contains(columns, packetStatus) || slices.Contains(columns, evictedAt)
}

var (
	meteredExprs = with(flowExprs(), map[string]string{"duration": exprDuration, "observer": "{sensor}"})
	flowsView    = &view{
		family: "flows", row: reflect.TypeFor[tables.Flow](),
		exprs: with(meteredExprs, map[string]string{"conn_id": exprConversation}),
		hosts: map[string]string{"src_host": "src", "dst_host": "dst"},
		only:  map[string][]string{"source_type": {tables.SourcePackets}},
		also:  exportsView,
	}
	// What exporters reported stands in flows beside the metered rows.
	exportsView = &view{
		family: "exports", row: reflect.TypeFor[tables.Export](),
		exprs: with(with(flowExprs(), addresses("src_nat_ip", "src_nat", "dst_nat_ip", "dst_nat")),
			map[string]string{"duration": exprReported, "oriented_by": functions.Quote(tables.ByExporter),
				"counter_quality": fmt.Sprintf(exprCounters, int64(tables.MaxCount), functions.Quote(tables.CountersClamped), functions.Quote(tables.CountersOK))}),
		hosts: map[string]string{"src_host": "src", "dst_host": "dst"},
		never: map[string][]string{"source_type": {tables.SourcePackets}},
		ports: true,
	}
	// Rows of exporters have no packets of their own.
	flowIndexView = &view{family: "flows", row: flowsView.row, exprs: meteredExprs,
		where: "{source_type} = " + functions.Quote(tables.SourcePackets)}
	otherIndexView  = &view{family: "other", row: reflect.TypeFor[tables.Other]()}
	connectionsView = &view{
		family: "connections", row: reflect.TypeFor[tables.Connection](),
		exprs: with(addresses("client_ip", "client", "server_ip", "server"), map[string]string{
			"duration":     exprDuration,
			"protocol":     exprProtocol,
			"bytes":        fmt.Sprintf(exprTotal, "client_bytes", "server_bytes"),
			"packets":      fmt.Sprintf(exprTotal, "client_packets", "server_packets"),
			"direction":    fmt.Sprintf(exprDirection, "client", "server"),
			"community_id": fmt.Sprintf(exprCommunity, "client", "server"),
		}),
		hosts: map[string]string{"client_host": "client", "server_host": "server"},
	}
	dnsView = &view{
		family: "dns", row: reflect.TypeFor[tables.DNS](),
		exprs: with(addresses("client_ip", "client", "server_ip", "server"), map[string]string{
			"protocol":     exprProtocol,
			"query_raw":    "coalesce({query_raw}, {query})",
			"query_length": "coalesce({query_length}, length({query})::INTEGER)",
		}),
		hosts: map[string]string{"client_host": "client", "server_host": "server"},
	}
	dnsAnswersView = &view{
		family: "dns_answers", row: reflect.TypeFor[tables.DNSAnswer](),
		exprs: addresses("client_ip", "client", "server_ip", "server"),
		hosts: map[string]string{"client_host": "client"},
	}
	tlsView = &view{
		family: "tls", row: reflect.TypeFor[tables.TLS](),
		exprs: with(addresses("client_ip", "client", "server_ip", "server"), map[string]string{"protocol": exprProtocol}),
		hosts: map[string]string{"client_host": "client", "server_host": "server"},
	}
	httpView = &view{
		family: "http", row: reflect.TypeFor[tables.HTTP](),
		exprs: addresses("client_ip", "client", "server_ip", "server"),
		hosts: map[string]string{"client_host": "client", "server_host": "server"},
	}
	loginsView = &view{
		family: "logins", row: reflect.TypeFor[tables.Login](),
		exprs: addresses("client_ip", "client", "server_ip", "server"),
		hosts: map[string]string{"client_host": "client", "server_host": "server"},
	}
	filesView = &view{
		family: "files", row: reflect.TypeFor[tables.File](),
		exprs: with(addresses("client_ip", "client", "server_ip", "server"), map[string]string{
			"file_id": "CASE WHEN coalesce({bytes_read}, 0) + coalesce({bytes_written}, 0) > 0 AND {protocol} <> 'smb1' AND {action} <> 'encrypted' AND coalesce({share}, '') <> 'ipc$' THEN " + fmt.Sprintf(exprFileID, "{protocol}") + " END",
		}),
		hosts: map[string]string{"client_host": "client", "server_host": "server"},
		never: map[string][]string{"protocol": {"http"}},
		also:  httpFilesView,
	}
	rpcView = &view{
		family: "rpc", row: reflect.TypeFor[tables.RPC](),
		exprs: addresses("client_ip", "client", "server_ip", "server"),
		hosts: map[string]string{"client_host": "client", "server_host": "server"},
	}
	mailView = &view{
		family: "mail", row: reflect.TypeFor[tables.Mail](),
		exprs: addresses("client_ip", "client", "server_ip", "server"),
		hosts: map[string]string{"client_host": "client", "server_host": "server"},
	}
	arpView = &view{
		family: "arp", row: reflect.TypeFor[tables.ARP](),
		exprs: addresses("ip", "ip", "asked_ip", "asked_ip"),
		hosts: map[string]string{"host": "ip"},
	}
	icmpView = &view{
		family: "icmp", row: reflect.TypeFor[tables.ICMP](),
		exprs: with(addresses("src_ip", "src", "dst_ip", "dst", "inner_src_ip", "inner_src", "inner_dst_ip", "inner_dst"), map[string]string{
			"protocol":       exprProtocol,
			"inner_protocol": "wiresql_protocol({inner_protocol_number})",
		}),
		hosts: map[string]string{"src_host": "src", "dst_host": "dst"},
	}
	dhcpView = &view{
		family: "dhcp", row: reflect.TypeFor[tables.DHCP](),
		exprs: addresses("client_ip", "client", "server_ip", "server", "relay_ip", "relay", "requested_ip", "requested_ip", "assigned_ip", "assigned_ip"),
		hosts: map[string]string{"client_host": "client", "server_host": "server"},
	}
	odditiesView = &view{
		family: "oddities", row: reflect.TypeFor[tables.Oddity](),
		exprs: addresses("client_ip", "client", "server_ip", "server"),
		hosts: map[string]string{"client_host": "client", "server_host": "server"},
	}
	// What HTTP moved stands in files beside the rest: bodies that have a name.
	httpFilesView = &view{
		family: "http", row: reflect.TypeFor[tables.HTTP](),
		exprs: with(addresses("client_ip", "client", "server_ip", "server"), map[string]string{
			"ts_end":        "{ts}",
			"protocol":      "'http'",
			"share":         "lower({host})",
			"name":          "coalesce({file_name}, " + exprURIName + ")",
			"new_name":      "NULL::VARCHAR",
			"action":        "CASE WHEN {method} = 'PUT' THEN 'write' ELSE 'read' END",
			"username":      "lower({username})",
			"bytes_read":    "{response_length}",
			"bytes_written": "{request_length}",
			"size":          "NULL::BIGINT",
			"status":        "{status}::VARCHAR",
			"file_id":       fmt.Sprintf(exprFileID, "CASE WHEN {nth} > 0 THEN 'http.' || {nth} ELSE 'http' END"),
		}),
		hosts: map[string]string{"client_host": "client", "server_host": "server"},
		where: "({method} = 'PUT' OR {status} IN (200, 206) AND {response_length} > 0 AND ({method} IN ('GET', 'POST') OR {method} IS NULL)) AND ({file_name} IS NOT NULL OR " + exprURIName + " IS NOT NULL AND {method} IN ('GET', 'PUT'))",
		only:  map[string][]string{"protocol": {"http"}},
	}

	views = map[*tables.Relation]*view{
		tables.Connections:    connectionsView,
		tables.Flows:          flowsView,
		tables.FlowsWide:      flowsView,
		tables.Rates:          ratesView,
		tables.Traffic1m:      trafficView("traffic_1m", reflect.TypeFor[tables.Traffic]()),
		tables.Traffic1h:      trafficView("traffic_1h", reflect.TypeFor[tables.HourlyTraffic]()),
		tables.DNSRelation:    dnsView,
		tables.DNSAnswers:     dnsAnswersView,
		tables.TLSRelation:    tlsView,
		tables.HTTPRelation:   httpView,
		tables.Logins:         loginsView,
		tables.FilesRelation:  filesView,
		tables.RPCRelation:    rpcView,
		tables.MailRelation:   mailView,
		tables.ARPRelation:    arpView,
		tables.ICMPRelation:   icmpView,
		tables.DHCPRelation:   dhcpView,
		tables.Oddities:       odditiesView,
		tables.OpsImports:     {family: "imports", row: reflect.TypeFor[tables.Import](), exprs: map[string]string{"flow_rows": "{rows}"}},
		tables.OpsCoverage:    {family: "coverage", row: reflect.TypeFor[tables.Coverage]()},
		tables.OpsEvictions:   {family: "evictions", row: reflect.TypeFor[tables.Eviction](), exprs: map[string]string{"row_count": "{rows}", "segment": "{segment}::BIGINT"}},
		tables.OpsExporters:   exportersView,
		tables.OpsSockets:     socketsView,
		tables.OpsCaptureLoss: captureLossView,
		FlowIndex:             flowIndexView,
		OtherIndex:            otherIndexView,
	}
)

var ratesView = &view{
	family: "rates", row: reflect.TypeFor[tables.Rate](),
	exprs: with(totals("packets bytes syns new_flows drops"), map[string]string{"protocol": exprProtocol}),
	group: []string{"{ts}", "{observer}", "{site}", "{protocol_number}", "{direction}"},
}

// trafficView adds up the rows of each bin, of which some take back others.
func trafficView(family string, row reflect.Type) *view {
	return &view{
		family: family, row: row,
		exprs: with(totals("client_bytes server_bytes client_packets server_packets connections"), map[string]string{
			"protocol": exprProtocol,
			"bytes":    "wiresql_count(sum({client_bytes}) + sum({server_bytes}))",
			"packets":  "wiresql_count(sum({client_packets}) + sum({server_packets}))",
		}),
		group:  []string{"{ts}", "{observer}", "{site}", "{protocol_number}", "{service}", "{direction}"},
		having: "sum({connections}) > 0 OR sum({client_packets}) > 0 OR sum({server_packets}) > 0 OR sum({client_bytes}) > 0 OR sum({server_bytes}) > 0",
	}
}

// addresses maps pairs of (column, stored name) to their halves.
func addresses(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]+"_hi"] = "{" + pairs[i+1] + "_hi}"
		m[pairs[i]+"_lo"] = "{" + pairs[i+1] + "_lo}"
	}
	return m
}

func with(m, more map[string]string) map[string]string {
	m = maps.Clone(m)
	maps.Copy(m, more)
	return m
}
