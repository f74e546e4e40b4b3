package compact

import (
	"context"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// nameColumns are those that leases are made of.
var nameColumns = []string{"ts", "name", "ip_hi", "ip_lo", "mac", "source", "valid_until", "site"}

// Observations hands over the observations of names in files, by their time.
func Observations(ctx context.Context, files []archive.File, fn func(*tables.Name)) error {
	_, err := mergeRows(ctx, files, func(n *tables.Name) tables.Time { return n.TS }, func(rows []tables.Name) error {
		for i := range rows {
			fn(&rows[i])
		}
		return nil
	}, nameColumns...)
	return err
}
