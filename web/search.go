package web

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"

	"github.com/wiresql/wiresql/engine/hunt"
)

// communities are Community IDs, version 1: a digest of 20 bytes in base64.
var communities = regexp.MustCompile(`^1:[A-Za-z0-9+/]{27}=$`)

// search goes where a text leads: an address, a host, a connection or packet by
// its id, a Community ID, a statement.
func search(v *view) {
	text := strings.TrimSpace(v.r.FormValue("q"))
	v.to(found(text))
}

func found(text string) string {
	_, err := netip.ParseAddr(text)
	switch {
	case text == "":
		return "/"
	case err == nil:
		return to("/host", "name", text)
	case communities.MatchString(text):
		return to("/sql", "q", "SELECT ts, client_ip, client_host, server_ip, server_name, server_port, service, conn_state, bytes, packet_status, conn_id\nFROM connections WHERE community_id = "+hunt.Quote(text)+" ORDER BY ts LIMIT 1000")
	case ids.MatchString(strings.ToUpper(text)) && strings.ContainsAny(text, "0123456789"):
		return to("/connection", "id", strings.ToUpper(text))
	case asks.MatchString(text) && strings.ContainsAny(text, " \t\n"):
		return to("/sql", "q", text)
	}
	return to("/host", "name", text)
}

// to sends the browser to another view.
func (v *view) to(where string) { http.Redirect(v.w, v.r, where, http.StatusSeeOther) }
