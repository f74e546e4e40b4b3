package pushdown

import (
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/tables"
)

// Relations that are defined by SQL over others: views. A statement that reads
// one reads what it is made of, so that conditions, rights and warnings are
// those of the relations behind it. The definition's fields are the relation's
// columns, in its order.

// defined holds their definitions.
var defined = map[*tables.Relation]*Statement{
	tables.HostFlows: viewOf(fromBothEnds("SELECT ts, ts_end, duration, {own}_ip, {own}_host, {own}_port, '{own}'," +
		" {peer}_ip, {peer}_host, {peer}_port, {asked}, protocol, service, {own}_bytes, {peer}_bytes, {own}_packets, {peer}_packets," +
		" conn_state, direction, packet_status, sensor, conn_id, evicted_at FROM connections")),
	tables.Timeline: viewOf(timelineText()),
}

// arm is what one relation says of a machine: its rows have two ends, as
// client_… and server_…, and are told of both.
type arm struct {
	kind, from string
	// port is the field peer_port.
	port string
	// summary is what a person reads, a list of texts of which NULLs are left out.
	summary string
	// counted are the fields bytes_out, bytes_in and packet_status, of
	// connections alone: sums count nothing twice.
	counted string
	// ids are the fields conn_id and flow_id.
	ids string
}

// arms are the relations of timeline. One more is a line here, and its kind in
// tables.timelineKinds.
var arms = []arm{
	{"connection", "connections", "{peer}_port", "COALESCE(service, protocol), CONCAT('to ', server_name), conn_state",
		"{own}_bytes, {peer}_bytes, packet_status", "conn_id, NULL"},
	{"dns", "dns", "NULL", "qtype, query, CONCAT('= ', NULLIF(answers, '')), NULLIF(rcode, 'NOERROR')", "", ""},
	{"tls", "tls", "{peer}_port", "version, server_name, alpn, IF(self_signed, 'self-signed', NULL), subject", "", ""},
	{"http", "http", "{peer}_port", "method, CONCAT(COALESCE(host, ''), uri), status, content_type, user_agent", "", ""},
	{"login", "logins", "{peer}_port", "protocol, outcome, NULLIF(CONCAT_WS('@', username, domain), ''), service, error, IF(cleartext, 'in clear', NULL), client_software", "", ""},
}

// timelineText is the definition of timeline: its arms, and what was learnt of
// the machine's names.
func timelineText() string {
	var parts []string
	for _, a := range arms {
		if a.counted == "" {
			a.counted = "NULL, NULL, NULL"
		}
		if a.ids == "" {
			a.ids = "conn_id, flow_id"
		}
		parts = append(parts, fromBothEnds("SELECT ts, {own}_host, {own}_ip, '"+a.kind+"', '{own}', {peer}_ip, {peer}_host, "+a.port+","+
			" CONCAT_WS(' ', '{mark}', "+a.summary+"), "+a.counted+", "+a.ids+" FROM "+a.from))
	}
	return strings.Join(append(parts, "SELECT ts, name, ip, 'lease', NULL, NULL, NULL, NULL,"+
		" CONCAT_WS(' ', 'is', ip, CONCAT('by ', source), mac), NULL, NULL, NULL, NULL, NULL FROM hosts"), " UNION ALL ")
}

// fromBothEnds is rows as each of their two ends sees them: {own} and {peer}
// are client and server, and the other way round.
func fromBothEnds(text string) string {
	return strings.NewReplacer("{own}", "client", "{peer}", "server", "{asked}", "server_name", "{mark}", "→").Replace(text) + " UNION ALL " +
		strings.NewReplacer("{own}", "server", "{peer}", "client", "{asked}", "NULL", "{mark}", "←").Replace(text)
}

func viewOf(text string) *Statement {
	s, err := Parse(text)
	if err != nil {
		panic(err) // a constant
	}
	return s
}

// view binds a relation that is defined by SQL, whatever stands around it.
func (c *compiler) view(rel *tables.Relation, def *Statement) (*block, error) {
	if err := c.deeper(); err != nil {
		return nil, err
	}
	defer c.shallower()
	parsed, ctes, schema := c.parsed, c.ctes, c.schema
	c.parsed, c.ctes, c.schema = def, nil, rel.Schema
	defer func() { c.parsed, c.ctes, c.schema = parsed, ctes, schema }()
	b, err := within(c, nil, func() (*block, error) { return c.statement(def.AST.(sqlparser.TableStatement)) })
	if err != nil {
		return nil, err
	}
	p := &Project{Child: b.rel}
	for i := range rel.Columns {
		p.Exprs = append(p.Exprs, Named{c.columnOf(rel, i), &Col{b.out[i]}})
	}
	return &block{p, p.Columns()}, nil
}
