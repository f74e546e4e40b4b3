package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/pushdown"
)

// keyList is the strategy of few values of a key, where the statement says more
// of the rows: a query about the values, whose blooms leave out most files.
type keyList struct{}

func (keyList) String() string { return "rows of flows asked for by a list of keys" }

func (keyList) find(ctx *sql.Context, r *run, k *packetsRun) (*found, error) {
	p := k.plan
	if len(p.ByKey.Scans) == 0 {
		return nil, nil // the values stand in the statement, which is asked as it is
	}
	values, err := r.fewValues(ctx, k)
	if len(values) == 0 || err != nil {
		return nil, err
	}
	list := make([]string, len(values))
	equal := make([]pushdown.Equality, len(values))
	for i, v := range values {
		list[i] = strconv.FormatUint(v, 10)
		equal[i] = pushdown.Equality{Column: p.KeyColumn, Value: v}
	}
	shown := strings.ReplaceAll(p.ByKey.Shown(), "{{keys}}", fmt.Sprintf("{{%d keys}}", len(values)))
	query := p.ByKey
	query.Scans = nil
	for _, s := range p.ByKey.Scans {
		one := *s
		if s.Relation == pushdown.FlowIndex {
			one.Bounds.Equal = append(slices.Clip(one.Bounds.Equal), equal)
		}
		query.Scans = append(query.Scans, &one)
	}
	return r.asked(ctx, query, strings.Join(list, ", "), shown)
}
