package web

import (
	"net/http"

	"github.com/wiresql/wiresql/engine/hunt"
)

// connection shows a conversation: what is known of it, what was said in it as
// far as that is understood, its packets, and their text.
func connection(v *view) {
	id := v.r.FormValue("id")
	if !ids.MatchString(id) {
		v.fail(http.StatusNotFound, "A connection has an id of 13 characters.")
		return
	}
	is := "conn_id = " + hunt.Quote(id)
	v.begin("Connection " + id)
	a := v.ask(part{ID: "facts", Title: "Connection", Tall: true, Empty: "No connection has this id."}, "SELECT * FROM connections WHERE "+is, span{})
	if a.Err != "" || len(a.Rows) == 0 {
		v.write("other", id)
		v.end()
		return
	}
	for _, relation := range v.learnt() {
		p := part{ID: relation, Title: relation}
		p.answer = v.who.ask(v.context(), "SELECT * FROM "+relation+" WHERE "+is+" ORDER BY ts").linked(span{})
		if p.Err != "" || len(p.Rows) > 0 {
			v.write("part", p)
		}
	}
	p := part{ID: "packets", Title: "Packets", Empty: "No packet of it can be read: packet_status above says why.", Packets: to("/pcap", "conn", id)}
	v.ask(p, "SELECT ts, src_ip, src_port, dst_ip, dst_port, tcp_flags, length, payload_length, info, packet_id\nFROM packets WHERE "+is+" ORDER BY ts, packet_id", span{})
	v.text("stream", "What was said", "SELECT stream(conn_id) AS said FROM connections WHERE "+is)
	v.end()
}

// learnt are the relations with rows of what was understood in connections, as
// far as the account may read them.
func (v *view) learnt() (names []string) {
	a := v.who.ask(v.context(), "SELECT table_name FROM information_schema.columns WHERE table_schema = 'wiresql' AND column_name = 'conn_id'\n"+
		"AND table_name NOT IN ('connections', 'flows', 'flows_wide', 'packets', 'packets_wide', 'packet_bytes', 'host_flows', 'timeline') ORDER BY table_name")
	for _, row := range a.Rows {
		names = append(names, row[0].Text)
	}
	return names
}

// textView is a value that is read as a whole.
type textView struct {
	ID, Title string
	*answer
}

// text shows one value that is text of many lines.
func (v *view) text(id, title, statement string) {
	v.write("text", textView{id, title, v.who.askUpTo(v.context(), wholeText, statement)})
}

// packet shows one packet, field by field and as bytes.
func packet(v *view) {
	id := v.r.FormValue("id")
	if !ids.MatchString(id) {
		v.fail(http.StatusNotFound, "A packet has an id of 13 characters.")
		return
	}
	is := "packet_id = " + hunt.Quote(id)
	v.begin("Packet " + id)
	v.ask(part{ID: "fields", Title: "Packet", Tall: true, Empty: "There is no packet of this id, or it can't be read any more.", Packets: to("/pcap", "packet", id)},
		"SELECT * FROM packets_wide WHERE "+is, span{})
	v.text("bytes", "Bytes", "SELECT hexdump(frame) AS bytes FROM packet_bytes WHERE "+is)
	v.end()
}
