package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// The values of a key that say which flow rows matter: what the strategies are
// chosen by.

// maxKeys is up to how many values of a key are looked for one by one: more
// are joined.
const maxKeys = 2000

// noKey is the strategy where what names the flow rows names none.
type noKey struct{}

func (noKey) String() string { return "none: no row of flows is asked for" }

func (noKey) find(ctx *sql.Context, r *run, k *packetsRun) (*found, error) {
	if k.plan.Source == nil {
		return nil, nil
	}
	if values, err := r.values(ctx, k); len(values) > 0 || err != nil {
		return nil, err
	}
	return &found{keys: &keySet{}, shown: k.plan.Source.Shown()}, nil
}

// fewValues gives the values of a plan's key where they are known and few.
func (r *run) fewValues(ctx context.Context, k *packetsRun) ([]uint64, error) {
	values, err := r.values(ctx, k)
	if len(values) > maxKeys {
		values = nil
	}
	return values, err
}

// values gives the values of a plan's key, up to one more than are few. They
// are read once.
func (r *run) values(ctx context.Context, k *packetsRun) (values []uint64, err error) {
	p := k.plan
	switch {
	case p.Source == nil:
		return p.KeyValues, nil
	case k.known:
		return k.values, nil
	case p.Stored != nil && r.snap.allStand(archive.Family(p.Stored.Family)):
		k.values, k.repeated, err = r.storedValues(ctx, p)
	default:
		var text string
		if text, err = r.fill(*p.Source, "", "which "+p.KeyColumn); err == nil {
			k.values, k.repeated, err = r.engine.keyValues(ctx, text, maxKeys)
		}
	}
	k.known = err == nil
	return k.values, err
}

// allStand tells whether all rows of a family's files count, and no others.
func (s *snapshot) allStand(family archive.Family) bool {
	return s.recent == nil && !slices.ContainsFunc(s.catalog.Files(family), func(f archive.File) bool {
		_, decided := s.catalog.Decisions(f)
		return decided
	})
}

// keyValues reads the values a source puts out, up to one more than limit, and
// whether one of them came from several rows.
func (e *Engine) keyValues(ctx context.Context, text string, limit int) (values []uint64, repeated bool, err error) {
	cur, err := e.duck.query(ctx, text)
	if err != nil {
		return nil, false, err
	}
	defer cur.close()
	for len(values) <= limit {
		view, err := cur.next()
		if err != nil {
			return nil, false, err
		}
		if view == nil {
			break
		}
		for row := range view.n {
			if !view.vectors[0].null(row) {
				values = append(values, view.vectors[0].uint64(row))
				repeated = repeated || view.vectors[1].int64(row) > 1
			}
		}
	}
	return values, repeated, nil
}

// storedValues reads a source's values from the row files themselves, like
// keyValues.
func (r *run) storedValues(ctx context.Context, p *pushdown.PacketPlan) (values []uint64, repeated bool, err error) {
	bounds := p.Source.Scans[0].Bounds
	var files []archive.File
	all := r.snap.catalog.Files(archive.Family(p.Stored.Family))
	for _, f := range all {
		if r.snap.matters(f, bounds) {
			files = append(files, f)
		}
	}
	where := make([]rows.Values, len(p.Stored.Where))
	for i, v := range p.Stored.Where {
		where[i] = rows.Values(v)
	}
	var stats rows.LookupStats
	defer r.looked(tables.Connections, "which "+p.KeyColumn, all, files, &stats)
	seen := map[tables.ID]bool{}
	errEnough := errors.New("enough")
	stats, err = rows.Lookup(ctx, archive.RowFiles(files), where, []string{p.Stored.Column}, func(c *tables.Connection) error {
		if seen[c.ConnID] {
			repeated = true
			return nil
		}
		seen[c.ConnID] = true
		if values = append(values, uint64(c.ConnID)); len(values) > maxKeys {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return values, repeated, err
}
