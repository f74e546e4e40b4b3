package capture

import (
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// importLevel is the level of an import's files: rows in packet-time order, as
// in the files of an epoch.
const importLevel = "e"

// maxFileRows ends a row file.
const maxFileRows = 1_000_000

// rowBuffers are the rows of an import on their way into a transaction: the
// sink of the meter and of the observer. While replaying it drops them.
type rowBuffers struct {
	flows     *archive.Sorter[tables.Flow]
	others    *archive.Sorter[tables.Other]
	dns       *archive.Sorter[tables.DNS]
	names     *archive.Sorter[tables.Name]
	replaying bool
}

func newRowBuffers() (b *rowBuffers, err error) {
	b = &rowBuffers{}
	if b.flows, err = archive.NewSorter[tables.Flow](importLevel, archive.SorterOptions{Rows: 500_000, Blobs: 64 << 20, FileRows: maxFileRows}); err != nil {
		return nil, err
	}
	few := archive.SorterOptions{Rows: 50_000, Blobs: 32 << 20, FileRows: maxFileRows}
	if b.others, err = archive.NewSorter[tables.Other](importLevel, few); err != nil {
		return nil, err
	}
	if b.dns, err = archive.NewSorter[tables.DNS](importLevel, few); err != nil {
		return nil, err
	}
	b.names, err = archive.NewSorter[tables.Name](importLevel, few)
	return b, err
}

func (b *rowBuffers) begin(tx *archive.Tx) {
	b.flows.Begin(tx)
	b.others.Begin(tx)
	b.dns.Begin(tx)
	b.names.Begin(tx)
}

// flush writes all rows of the batch; it returns how many of them were flows.
func (b *rowBuffers) flush() (flows int64, err error) {
	for _, f := range []func() (int64, error){b.others.Flush, b.dns.Flush, b.names.Flush, b.flows.Flush} {
		if flows, err = f(); err != nil {
			return 0, err
		}
	}
	return flows, nil
}

// Flow implements tables.FlowSink.
func (b *rowBuffers) Flow(r *tables.Flow) error {
	if b.replaying {
		return nil
	}
	return b.flows.Add(r)
}

// Other implements Sink.
func (b *rowBuffers) Other(r *tables.Other) error {
	if b.replaying {
		return nil
	}
	return b.others.Add(r)
}

// DNS implements observe.Sink.
func (b *rowBuffers) DNS(r *tables.DNS) error {
	if b.replaying {
		return nil
	}
	return b.dns.Add(r)
}

// Name implements observe.Sink.
func (b *rowBuffers) Name(r *tables.Name) error {
	if b.replaying {
		return nil
	}
	return b.names.Add(r)
}
