package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
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
	column := "host"
	if _, err := netip.ParseAddr(name); err == nil {
		column = "ip"
	}
	is := hunt.Quote(name)
	when := v.beginAt(name)
	known := "name = " + is
	if column == "ip" {
		known = "ip = " + is
	}
	step := when.bin(parts)
	activity := v.soon(fmt.Sprintf("SELECT FLOOR(UNIX_TIMESTAMP(ts) / %d) AS bin, COUNT(*) AS connections\nFROM host_flows WHERE %s = %s AND %s\nGROUP BY bin ORDER BY bin",
		step, column, is, when.between("ts")))
	peers := v.soon("SELECT role, peer_ip, peer_host, peer_name, peer_port, service, COUNT(*) AS connections, SUM(bytes_out) AS sent, SUM(bytes_in) AS received, MIN(ts) AS first, MAX(ts) AS last\n" +
		"FROM host_flows WHERE " + column + " = " + is + " AND " + when.between("ts") +
		"\nGROUP BY role, peer_ip, peer_host, peer_name, peer_port, service ORDER BY SUM(bytes_out) + SUM(bytes_in) DESC LIMIT 30")
	happened := v.happened(column, is, when)

	v.coverage(when)
	v.ask(part{ID: "names", Title: "Names and addresses", Empty: "Nothing that was recorded says a name of it in this time."},
		"SELECT name, ip, mac, ts, ts_end, source\nFROM hosts WHERE "+known+" AND "+when.overlaps()+"\nORDER BY ts", when)
	a := <-activity
	p := part{ID: "activity", Title: "Activity", Empty: "It is in no connection that began in this time.", answer: a,
		Chart: a.binned("Connections that began in each "+length(step), "connections", step, when)}
	if p.Chart != nil {
		a.Columns, a.Rows = nil, nil
	}
	v.write("part", p)

	v.write("part", part{ID: "peers", Title: "Whom it spoke with most", Empty: "Nobody in this time.", answer: (<-peers).linked(when)})
	v.timeline(<-happened.asked, happened, when)
	v.end()
}

// page is one of a timeline: the rows from a time on, without those of that time that
// were shown.
type page struct {
	asked
	from  string
	shown int
}

// happened asks for the page of a timeline that the address tells.
func (v *view) happened(column, is string, when span) page {
	after, rest, shown := given(v.r.FormValue("after")), when, 0
	rest.From = given(rest.From) // as after is written
	if after > rest.From {
		rest.From = after
		if n, err := strconv.Atoi(v.r.FormValue("shown")); err == nil && n > 0 {
			shown = n
		}
	}
	text := fmt.Sprintf("SELECT ts, kind, peer_ip, peer_host, peer_port, summary, bytes_out, bytes_in, packet_status, conn_id\n"+
		"FROM timeline WHERE %s = %s AND %s\nORDER BY ts, conn_id, kind, role, flow_id, summary LIMIT %d OFFSET %d", column, is, rest.between("ts"), pageRows, shown)
	return page{v.soon(text), rest.From, shown}
}

// timeline shows what happened, a page of it. The next begins behind its last row.
func (v *view) timeline(a *answer, of page, when span) {
	v.write("part", part{ID: "timeline", Title: "What happened", Empty: "Nothing was seen of it in this time.", answer: a.linked(when)})
	if len(a.Rows) < pageRows {
		return
	}
	last := given(a.Rows[len(a.Rows)-1][0].Text)
	shown := of.shown
	if last != of.from {
		shown = 0
	}
	for _, row := range a.Rows {
		if given(row[0].Text) == last {
			shown++
		}
	}
	v.write("later", to("/host", "name", v.r.FormValue("name"), "from", when.From, "to", when.To, "after", last, "shown", strconv.Itoa(shown))+"#timeline")
}
