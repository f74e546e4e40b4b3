package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// SHOW STATUS carries the collector's counters, under the names its metrics
// have, added up over all sockets and exporters and all of the archive's time.

// statusCounters are the columns of a relation that are added up, and what the
// variables' names begin with.
var statusCounters = []struct {
	relation *tables.Relation
	prefix   string
	columns  []string
}{
	{tables.OpsSockets, "wiresql_socket_", strings.Fields("received bytes decoded undecodable waited refused queue_drops kernel_drops")},
	{tables.OpsExporters, "wiresql_exporter_", strings.Fields("datagrams bytes records options_records templates undecodable undecoded_bytes" +
		" waited late expired gaps missing reordered duplicates resets samples_lost samples_dropped other_packets unknown_formats")},
}

// counters adds up the collector's accounts.
func (e *Engine) counters(ctx context.Context, into map[string]string) error {
	snap, err := e.snapshot(ctx)
	if err != nil {
		return err
	}
	for _, s := range statusCounters {
		from, err := e.relationText(snap, s.relation, s.columns)
		if err != nil {
			return err
		}
		sums := make([]string, len(s.columns))
		for i, c := range s.columns {
			sums[i] = fmt.Sprintf("coalesce(sum(%s), 0)::VARCHAR", c)
		}
		values, err := e.oneRow(ctx, "SELECT "+strings.Join(sums, ", ")+" FROM ("+from+")")
		if err != nil {
			return err
		}
		for i, c := range s.columns {
			into[s.prefix+c+"_total"] = fmt.Sprint(values[i])
		}
	}
	return nil
}
