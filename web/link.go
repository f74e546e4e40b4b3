package web

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

// ids are those of connections, flows and packets.
var ids = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{13}$`)

// to is an address of the page.
func to(path string, pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// link says where a value leads to, by its column's name; empty for nowhere.
// The view of a host is of the same time.
func link(column string, value string, when span) string {
	name := strings.ToLower(column)
	if value == "" {
		return ""
	}
	switch {
	case name == "conn_id" && ids.MatchString(value):
		return to("/connection", "id", value)
	case strings.HasSuffix(name, "packet_id") && ids.MatchString(value):
		return to("/packet", "id", value)
	case name == "finding" && findingIDs.MatchString(value):
		return to("/finding", "id", value)
	case name == "community_id":
		return to("/search", "q", value)
	case name == "ip" || strings.HasSuffix(name, "_ip") || name == "address" || name == "exporter":
		if _, err := netip.ParseAddr(value); err == nil {
			return to("/host", "name", value, "from", when.From, "to", when.To)
		}
	case name == "host" || strings.HasSuffix(name, "_host"):
		return to("/host", "name", value, "from", when.From, "to", when.To)
	}
	return ""
}

// linked gives an answer's values where they lead to. A time in front leads where
// the row's own id does, which may be far to the right.
func (a *answer) linked(when span) *answer {
	for _, row := range a.Rows {
		for i := range row {
			if !row[i].Null && row[i].Rest == 0 && row[i].Href == "" {
				row[i].Href = link(a.Columns[i].Name, row[i].Text, when)
			}
		}
		if len(row) == 0 || !a.Columns[0].Time || row[0].Null || row[0].Href != "" {
			continue
		}
		for _, name := range []string{"packet_id", "conn_id"} {
			if i := a.column(name); i >= 0 && row[i].Href != "" {
				row[0].Href = row[i].Href
				break
			}
		}
	}
	return a
}
