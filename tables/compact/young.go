package compact

import (
	"context"
	"math"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// youngLimit bounds the rows Young reads that no run has settled, of which one
// is about 250 bytes in memory. A recorder at 2,500 flows a second has as many
// before they are settled.
const youngLimit = 1 << 19

// Recent is what connections will be of rows that are not settled yet.
type Recent struct {
	// Connections of conversations that are not written, or not as they are
	// known now, by time.
	Connections []tables.Connection
	// Replaces are the stored connections that Connections has anew: whoever
	// puts both together leaves these out of what is stored.
	Replaces []ConnectionKey
	// Rows are the conversations of rows of exports that have none stored.
	Rows []RowConversation
	// Skipped counts the rows that were too many to look at; the earliest are
	// left out. They lie between SkippedFrom and SkippedTo.
	Skipped                int64
	SkippedFrom, SkippedTo tables.Time
}

// ConnectionKey names a stored connection.
type ConnectionKey struct {
	ConnID tables.ID
	Site   string
}

// RowConversation tells the conversation of a row.
type RowConversation struct {
	FlowID, ConnID tables.ID
	// Segments and CutPackets are those of the metered rows; see Export.
	Segments   []int32
	CutPackets tables.Opt[int64]
}

// Unsettled tells whether a file of exports or flows holds rows that no run has
// settled.
func Unsettled(f archive.File) bool { return unsettled(f) }

// Young computes the connections of the rows no run has settled, and of the
// conversations that are carried, as if all were over: by the same rules, so
// that with what is stored they are what a later run would write.
func Young(ctx context.Context, cat *archive.Catalog) (*Recent, error) {
	return young(ctx, cat, youngLimit)
}

func young(ctx context.Context, cat *archive.Catalog, limit int64) (*Recent, error) {
	out := &Recent{}
	var files []archive.File
	for _, family := range []archive.Family{archive.Exports, archive.Flows} {
		for _, f := range cat.Files(family) {
			if unsettled(f) {
				files = append(files, f)
			}
		}
	}
	slices.SortStableFunc(files, func(a, b archive.File) int { return int(min(max(b.MaxTS-a.MaxTS, -1), 1)) })
	for i, f := range files {
		if limit -= f.Rows; limit >= 0 {
			continue
		}
		out.SkippedFrom, out.SkippedTo = f.MinTS, f.MaxTS
		for _, f := range files[i:] {
			out.Skipped += f.Rows
			out.SkippedFrom, out.SkippedTo = min(out.SkippedFrom, f.MinTS), max(out.SkippedTo, f.MaxTS)
		}
		files = files[:i]
		break
	}
	st := newStep(ctx, cat)
	if err := st.carried(); err != nil {
		return nil, err
	}
	for _, f := range files {
		var err error
		if f.Family == archive.Exports {
			err = st.exports(f)
		} else {
			err = scan(ctx, f, func(rows []tables.Flow) error {
				for i := range rows {
					st.meter(&rows[i], "", true)
				}
				return nil
			}, pieceColumns...)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(st.subjects) == 0 {
		return out, nil
	}
	if err := st.build(); err != nil {
		return nil, err
	}
	over, _, _ := st.divide(math.MaxInt64, 0)
	if err := st.connections(over, func(r *tables.Connection, _ *stored) error {
		out.Connections = append(out.Connections, *r)
		return nil
	}); err != nil {
		return nil, err
	}
	for id, o := range st.stored {
		if o.done {
			out.Replaces = append(out.Replaces, ConnectionKey{id.id, id.site})
		}
	}
	for _, f := range files {
		if f.Family != archive.Exports {
			continue
		}
		if err := scan(ctx, f, func(rows []tables.Export) error {
			for i := range rows {
				x := &rows[i]
				st.settle(x)
				out.Rows = append(out.Rows, RowConversation{x.FlowID, x.ConnID.V, x.Segments, x.CutPackets})
			}
			return nil
		}, rowColumns...); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// rowColumns are what settle reads of a row, and its id.
var rowColumns = []string{"ts", "ts_end", "site", "src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port",
	"protocol_number", "tunnel_type", "tunnel_id", "cid", "flow_id"}
