package pushdown

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// The relations about the collector are computed from its accounts: an
// exporter's are added up, a socket's by the minute, and what was lost is
// listed by reason.

// minute is what the accounts of a socket are added up by. Collectors write
// them at least that often.
const minute = tables.Time(time.Minute / time.Microsecond)

var (
	exportersView = &view{family: "exporters", row: exporterSums.row, beside: []string{"sockets"},
		exprs: exporterSums.exprs, make: exportersText}
	exporterSums = &view{
		family: "exporters", row: reflect.TypeFor[tables.Exporter](),
		exprs: with(totals("datagrams bytes records options_records templates undecodable undecoded_bytes waited late expired"+
			" gaps missing reordered duplicates resets samples_lost samples_dropped other_packets unknown_formats"),
			with(latest("observer site known_templates waiting sampling_rate clock_offset_us sequence_unit last_error"), map[string]string{
				"first_seen": "min({ts})",
				"last_seen":  "max({ts_end})",
			})),
		group: []string{"{exporter_hi}", "{exporter_lo}", "{source_type}", "{observation_domain_id}"},
	}
	socketsView = &view{
		family: "sockets", row: reflect.TypeFor[tables.Socket](),
		exprs: with(totals("received bytes decoded undecodable waited refused queue_drops kernel_drops"), map[string]string{
			"ts":           socketMinute,
			"ts_end":       "max({ts_end})",
			"sent":         "wiresql_count(sum({received}) + sum({kernel_drops}))",
			"buffer_bytes": "min({buffer_bytes})",
		}),
		group: []string{"{socket}", socketMinute},
		grain: 2 * minute,
	}
	captureLossView = losses("coverage", reflect.TypeFor[tables.Coverage](),
		map[string]string{"observer": "{sensor}", "source_type": "'packets'"},
		[]loss{{"capture", "packets", "{drops}"}, {"disk", "packets", "{not_kept}"}, {"disk", "rows", "{lost_rows}"}},
		losses("sockets", reflect.TypeFor[tables.Socket](), nil,
			[]loss{{"kernel", "datagrams", "{kernel_drops}"}, {"queue", "datagrams", "{queue_drops}"}, {"refused", "datagrams", "{refused}"},
				{"undecodable", "datagrams", "{undecodable}"}},
			losses("exporters", reflect.TypeFor[tables.Exporter](), nil,
				[]loss{{"malformed", "datagrams", "{undecodable}"}, {"expired_waiting", "sets", "{expired}"}, {"sequence", "", "{missing}"},
					{"samples_lost", "samples", "{samples_lost}"}, {"samples_dropped", "samples", "{samples_dropped}"}},
				nil)))
)

const socketMinute = "date_trunc('minute', {ts})"

// totals are sums of the columns.
func totals(columns string) map[string]string {
	m := map[string]string{}
	for _, c := range strings.Fields(columns) {
		m[c] = "wiresql_count(sum({" + c + "}))"
	}
	return m
}

// latest are the columns as they were last known.
func latest(columns string) map[string]string {
	m := map[string]string{}
	for _, c := range strings.Fields(columns) {
		m[c] = "arg_max({" + c + "}, {ts_end})"
	}
	return m
}

// exportersText adds to the sums of each exporter what the kernel dropped while
// it was seen, for all exporters together: nothing says whose datagrams those
// were.
func exportersText(fields []Field, src Source) string {
	const drops = "kernel_drops"
	wanted := func(f Field) bool { return f.Name == drops }
	if !slices.ContainsFunc(fields, wanted) {
		return exporterSums.text(fields, src)
	}
	inner := slices.DeleteFunc(slices.Clone(fields), wanted)
	for _, f := range []Field{{"first_seen", "TIMESTAMP"}, {"last_seen", "TIMESTAMP"}} {
		if !slices.Contains(inner, f) {
			inner = append(inner, f)
		}
	}
	sockets := src.rows("sockets", []Field{{"ts", "TIMESTAMP"}, {"ts_end", "TIMESTAMP"}, {drops, "BIGINT"}})
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = "e." + quoteIdent(f.Name)
		if wanted(f) {
			out[i] = "(SELECT wiresql_count(coalesce(sum(s.kernel_drops), 0)) FROM " + sockets + " s" +
				" WHERE s.kernel_drops > 0 AND s.ts <= e.last_seen AND s.ts_end >= e.first_seen) AS kernel_drops"
		}
	}
	return "SELECT " + strings.Join(out, ", ") + "\n  FROM (" + indent(exporterSums.text(inner, src)) + ") e"
}

// loss is one reason of loss: its name, its unit (empty: the row's own), and
// the stored count.
type loss struct{ reason, unit, count string }

// losses is a view per reason over one family's rows.
func losses(family string, row reflect.Type, exprs map[string]string, reasons []loss, also *view) *view {
	for _, l := range reasons {
		v := &view{family: family, row: row, where: l.count + " > 0", also: also,
			exprs: with(map[string]string{"reason": "'" + l.reason + "'", "unit": "'" + l.unit + "'", "lost": l.count}, exprs)}
		if l.unit == "" {
			v.exprs["unit"] = "{sequence_unit}"
		}
		also = v
	}
	return also
}
