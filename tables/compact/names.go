package compact

import (
	"context"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// nameColumns are those that leases are made of.
var nameColumns = []string{"ts", "name", "ip_hi", "ip_lo", "mac", "source", "valid_until", "site"}

// Leases are those of all observations of names in the archive. Memory grows
// with the names that changed hands, not with how often they were said.
func Leases(ctx context.Context, cat *archive.Catalog) ([]tables.Lease, error) {
	var log tables.NameLog
	_, err := mergeRows(ctx, cat.Files(archive.Names), func(n *tables.Name) tables.Time { return n.TS }, func(rows []tables.Name) error {
		for i := range rows {
			log.Add(&rows[i])
		}
		return nil
	}, nameColumns...)
	if err != nil {
		return nil, err
	}
	return log.Leases(), nil
}
