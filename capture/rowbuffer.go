package capture

import (
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// importLevel is the level of an import's files: rows in packet-time order, as
// in the files of an epoch.
const importLevel = "e"

// maxFileRows ends a row file.
const maxFileRows = 1_000_000

// rowBuffers are the rows of an import on their way into a transaction: the
// sink of the meter and of the observer. While replaying it drops them.
type rowBuffers struct {
	flows     *rows.Sorter[tables.Flow]
	others    *rows.Sorter[tables.Other]
	dns       *rows.Sorter[tables.DNS]
	names     *rows.Sorter[tables.Name]
	rates     *rows.Sorter[tables.Rate]
	replaying bool
}

func newRowBuffers() (b *rowBuffers, err error) {
	b = &rowBuffers{}
	if b.flows, err = rows.NewSorter[tables.Flow](rows.SorterOptions{Rows: 500_000, Blobs: 64 << 20, FileRows: maxFileRows}); err != nil {
		return nil, err
	}
	few := rows.SorterOptions{Rows: 50_000, Blobs: 32 << 20, FileRows: maxFileRows}
	if b.others, err = rows.NewSorter[tables.Other](few); err != nil {
		return nil, err
	}
	if b.dns, err = rows.NewSorter[tables.DNS](few); err != nil {
		return nil, err
	}
	if b.names, err = rows.NewSorter[tables.Name](few); err != nil {
		return nil, err
	}
	b.rates, err = rows.NewSorter[tables.Rate](few)
	return b, err
}

func (b *rowBuffers) begin(tx *archive.Tx) {
	b.flows.Begin(archive.NewRowFiles[tables.Flow](tx, importLevel))
	b.others.Begin(archive.NewRowFiles[tables.Other](tx, importLevel))
	b.dns.Begin(archive.NewRowFiles[tables.DNS](tx, importLevel))
	b.names.Begin(archive.NewRowFiles[tables.Name](tx, importLevel))
	b.rates.Begin(archive.NewRowFiles[tables.Rate](tx, importLevel))
}

// stop gives up what was not flushed.
func (b *rowBuffers) stop() {
	b.flows.Stop()
	b.others.Stop()
	b.dns.Stop()
	b.names.Stop()
	b.rates.Stop()
}

// flush writes all rows of the batch; it returns how many of them were flows.
func (b *rowBuffers) flush() (flows int64, err error) {
	for _, f := range []func() (int64, error){b.others.Flush, b.dns.Flush, b.names.Flush, b.rates.Flush, b.flows.Flush} {
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

// Rate implements RateSink.
func (b *rowBuffers) Rate(r *tables.Rate) error {
	if b.replaying {
		return nil
	}
	return b.rates.Add(r)
}
