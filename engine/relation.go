package engine

import (
	"context"
	"time"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// Relations as they are read: the SQL over their files, the packets there are.

// relationText is the SQL of a relation over all of its files.
func (e *Engine) relationText(snap *snapshot, rel *tables.Relation, columns []string) (string, error) {
	src, _, err := e.sourceOf(snap, rel, columns, func(archive.File) bool { return true })
	if err != nil {
		return "", err
	}
	return pushdown.RelationSQL(rel, columns, src)
}

// sourceOf is what columns of a relation are read from: the files that keep
// picks, which are returned too.
func (e *Engine) sourceOf(snap *snapshot, rel *tables.Relation, columns []string, keep func(archive.File) bool) (pushdown.Source, []archive.File, error) {
	var files []archive.File
	for _, family := range pushdown.Families(rel) {
		for _, f := range snap.catalog.Files(archive.Family(family)) {
			if keep(f) {
				files = append(files, f)
			}
		}
	}
	if err := snap.loadHosts(context.Background(), e.duck, rel, columns); err != nil {
		return pushdown.Source{}, nil, err
	}
	return snap.source(files), files, nil
}

// boxed is the cell as rows of go-mysql-server hold it.
func (c *cell) boxed(k tables.Kind) any {
	if c.null {
		return nil
	}
	switch k {
	case tables.Timestamp:
		return time.UnixMicro(c.n).UTC()
	case tables.Int:
		return int32(c.n)
	case tables.BigInt:
		return c.n
	case tables.Bool:
		return int8(c.n)
	case tables.Address:
		return tables.Addr{Hi: c.hi, Lo: c.lo}.String()
	case tables.Identifier:
		return tables.ID(c.hi).String()
	case tables.MAC:
		return string(tables.AppendMAC(nil, uint64(c.n)))
	case tables.Bytes:
		return append([]byte{}, c.text...)
	}
	return string(c.text)
}
