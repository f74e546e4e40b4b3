package engine

import (
	"context"
	"time"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// Relations as they are read: the SQL over their files, the packets there are.

// relationText is the SQL of a relation over its files; keep, when not nil,
// picks them.
func (e *Engine) relationText(snap *snapshot, rel *tables.Relation, columns []string, keep func(archive.File) bool) (string, error) {
	var files []archive.File
	for _, family := range pushdown.Families(rel) {
		for _, f := range snap.catalog.Files(archive.Family(family)) {
			if keep == nil || keep(f) {
				files = append(files, f)
			}
		}
	}
	if err := snap.loadHosts(context.Background(), e.duck, rel, columns); err != nil {
		return "", err
	}
	return pushdown.RelationSQL(rel, columns, snap.source(files))
}

// allKeys are the packets of all flow and other rows.
func (e *Engine) allKeys(ctx context.Context, snap *snapshot) (*keySet, error) {
	flows, err := e.relationText(snap, pushdown.FlowIndex, []string{"flow_id", "conn_id", "src_ip", "src_port", "dst_port", "postings"}, nil)
	if err != nil {
		return nil, err
	}
	set, err := collectKeys(ctx, e.duck, flows)
	if err != nil {
		return nil, err
	}
	other, err := e.relationText(snap, pushdown.OtherIndex, []string{"postings"}, nil)
	if err != nil {
		return nil, err
	}
	more, err := collectKeys(ctx, e.duck, other)
	if err != nil {
		return nil, err
	}
	for _, r := range more.refs {
		set.refs = append(set.refs, archive.Ref{ID: r.ID, Owner: r.Owner + int32(len(set.owners))})
	}
	set.owners = append(set.owners, more.owners...)
	set.sort()
	return set, nil
}

// boxed is the cell as go-mysql-server's operators expect it.
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
		return string(appendMAC(nil, uint64(c.n)))
	case tables.Bytes:
		return append([]byte{}, c.text...)
	}
	return string(c.text)
}
