package engine

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/plan"

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

// statusBuilder executes SHOW STATUS; all other nodes it leaves alone.
type statusBuilder struct{ engine *Engine }

// Build implements sql.NodeExecBuilder.
func (b statusBuilder) Build(ctx *sql.Context, n sql.Node, _ sql.Row) (sql.RowIter, error) {
	if s, ok := n.(*plan.ShowStatus); ok {
		return b.engine.status(ctx, s)
	}
	return nil, nil
}

// status lists the status variables.
func (e *Engine) status(ctx *sql.Context, n *plan.ShowStatus) (sql.RowIter, error) {
	stock, err := n.RowIter(ctx, nil)
	if err != nil {
		return nil, err
	}
	rows, err := sql.RowIterToRows(ctx, stock)
	if err != nil {
		return nil, err
	}
	own, err := e.counters(ctx)
	if err != nil {
		return nil, err
	}
	rows = append(rows, own...)
	sort.Slice(rows, func(i, j int) bool { return rows[i][0].(string) < rows[j][0].(string) })
	return sql.RowsToRowIter(rows...), nil
}

// counters adds up the collector's accounts.
func (e *Engine) counters(ctx context.Context) ([]sql.Row, error) {
	snap, err := e.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var rows []sql.Row
	for _, s := range statusCounters {
		from, err := e.relationText(snap, s.relation, s.columns, nil)
		if err != nil {
			return nil, err
		}
		sums := make([]string, len(s.columns))
		for i, c := range s.columns {
			sums[i] = fmt.Sprintf("coalesce(sum(%s), 0)::VARCHAR", c)
		}
		values, err := e.oneRow(ctx, "SELECT "+strings.Join(sums, ", ")+" FROM ("+from+")")
		if err != nil {
			return nil, err
		}
		for i, c := range s.columns {
			rows = append(rows, sql.Row{s.prefix + c + "_total", values[i]})
		}
	}
	return rows, nil
}
