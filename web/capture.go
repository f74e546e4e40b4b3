package web

import (
	"database/sql"
	"errors"
	"net/http"
	"strconv"

	"github.com/wiresql/wiresql/engine/hunt"
)

// capture gives packets as a file: of a connection, of a packet, or those that
// the rows of a statement name.
func capture(v *view) {
	var where string
	name := "wiresql"
	switch conn, id, text, by := v.r.FormValue("conn"), v.r.FormValue("packet"), v.r.FormValue("q"), v.r.FormValue("by"); {
	case ids.MatchString(conn):
		where, name = "conn_id = "+hunt.Quote(conn), conn
	case ids.MatchString(id):
		where, name = "packet_id = "+hunt.Quote(id), id
	case asks.MatchString(text) && (by == "packet_id" || by == "flow_id" || by == "conn_id"):
		if !v.trusted() {
			v.fail(http.StatusForbidden, "This came with a link of another site. Run the statement, then take its packets.")
			return
		}
		where = by + " IN (SELECT " + by + " FROM (" + text + "\n) AS chosen)" // it may end in a comment
	default:
		v.fail(http.StatusBadRequest, "Which packets? Give a connection, a packet or a statement.")
		return
	}
	var file []byte
	err := v.who.db.QueryRowContext(v.context(), "SELECT pcap(packet_id) FROM packets WHERE "+where).Scan(&file)
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		status := http.StatusBadRequest
		if denied(err) {
			status = http.StatusForbidden
		}
		v.fail(status, told(err))
	case len(file) == 0:
		v.fail(http.StatusNotFound, "None of these packets can be read any more: packet_status of the connection says why.")
	default:
		v.patient()
		h := v.w.Header()
		h.Set("Content-Type", "application/vnd.tcpdump.pcap")
		h.Set("Content-Disposition", `attachment; filename="`+name+`.pcapng"`)
		h.Set("Content-Length", strconv.Itoa(len(file)))
		v.w.Write(file)
	}
}
