package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/wiresql/wiresql/engine/hunt"
)

// pageRows are the events of a timeline that are shown at a time.
const pageRows = 250

// host shows what is known of a machine, by its name or one of its addresses:
// names, what it moved, whom it spoke with, and what happened in order.
func host(v *view) {
	name := strings.TrimSpace(v.r.FormValue("name"))
	if name == "" {
		v.fail(http.StatusBadRequest, "Which host? Give its name or address.")
		return
	}
	when := v.span()
	column := "host"
	if _, err := netip.ParseAddr(name); err == nil {
		column = "ip"
	}
	is := hunt.Quote(name)
	v.beginAt(name, when)
	v.coverage(when)

	known := "name = " + is
	if column == "ip" {
		known = "ip = " + is
	}
	v.ask(part{ID: "names", Title: "Names and addresses", Empty: "Nothing that was recorded says a name of it in this time."},
		"SELECT name, ip, mac, ts, ts_end, source\nFROM hosts WHERE "+known+" AND "+when.overlaps()+"\nORDER BY ts LIMIT 100", when)

	step := when.bin(parts)
	a := v.who.ask(v.context(), fmt.Sprintf("SELECT FLOOR(UNIX_TIMESTAMP(ts) / %d) AS bin, COUNT(*) AS connections\nFROM host_flows WHERE %s = %s AND %s\nGROUP BY bin ORDER BY bin",
		step, column, is, when.between("ts")))
	p := part{ID: "activity", Title: "Activity", Empty: "It is in no connection that began in this time.", answer: a,
		Chart: a.binned("Connections that began in each "+length(step), "connections", step, when)}
	if p.Chart != nil {
		a.Columns, a.Rows = nil, nil
	}
	v.write("part", p)

	v.ask(part{ID: "peers", Title: "Whom it spoke with", Empty: "Nobody in this time."},
		"SELECT role, peer_ip, peer_host, peer_name, peer_port, service, COUNT(*) AS connections, SUM(bytes_out) AS sent, SUM(bytes_in) AS received, MIN(ts) AS first, MAX(ts) AS last\n"+
			"FROM host_flows WHERE "+column+" = "+is+" AND "+when.between("ts")+
			"\nGROUP BY role, peer_ip, peer_host, peer_name, peer_port, service ORDER BY SUM(bytes_out) + SUM(bytes_in) DESC LIMIT 30", when)

	v.timeline(column, is, when)
	v.end()
}

// timeline shows what happened, a page of it.
func (v *view) timeline(column, is string, when span) {
	after := given(v.r.FormValue("after"))
	rest := when
	if after > rest.From {
		rest.From = after
	}
	between := rest.between("ts")
	either := "(client_" + column + " = " + is + " OR server_" + column + " = " + is + ")"
	asked := "client_" + column + " = " + is
	limit := fmt.Sprintf(" ORDER BY ts LIMIT %d", pageRows)
	arms := []string{
		"SELECT ts, 'connection' AS kind, client_ip, server_ip, server_port AS port, CONCAT_WS(' ', COALESCE(server_name, server_host), service, conn_state, CONCAT(bytes, ' bytes'), packet_status) AS what, conn_id\n FROM connections WHERE " + either + " AND " + between + limit,
		"SELECT ts, 'dns', client_ip, server_ip, 53, CONCAT_WS(' ', qtype, query, rcode, answers), conn_id\n FROM dns WHERE " + asked + " AND " + between + limit,
		"SELECT ts, 'tls', client_ip, server_ip, server_port, CONCAT_WS(' ', version, server_name, subject), conn_id\n FROM tls WHERE " + asked + " AND " + between + limit,
		"SELECT ts, 'http', client_ip, server_ip, server_port, CONCAT_WS(' ', method, CONCAT_WS('', host, uri), status, content_type), conn_id\n FROM http WHERE " + asked + " AND " + between + limit,
	}
	text := "(" + strings.Join(arms, ")\nUNION ALL\n(") + fmt.Sprintf(")\nORDER BY ts, kind DESC LIMIT %d", pageRows)
	a := v.who.ask(v.context(), text).linked(when)
	v.write("part", part{ID: "timeline", Title: "What happened", Empty: "Nothing was seen of it in this time.", answer: a})
	if len(a.Rows) == pageRows {
		last := a.Rows[len(a.Rows)-1][0].Text
		v.write("later", to("/host", "name", v.r.FormValue("name"), "from", when.From, "to", when.To, "after", last)+"#timeline")
	}
}
