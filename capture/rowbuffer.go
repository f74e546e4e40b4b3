package capture

import (
	"reflect"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// importLevel is the level of an import's files: rows in packet-time order, as
// in the files of an epoch.
const importLevel = "e"

// maxFileRows ends a row file.
const maxFileRows = 1_000_000

// few are the options of the sorters of families that are smaller than flows.
var few = rows.SorterOptions{Rows: 50_000, Blobs: 32 << 20, FileRows: maxFileRows}

// rowBuffers are the rows of an import on their way into a transaction: the
// sink of the meter and of the observer. While replaying it drops them.
type rowBuffers struct {
	flows     *rows.Sorter[tables.Flow]
	others    *rows.Sorter[tables.Other]
	observed  []rowBuffer
	by        map[reflect.Type]rowBuffer // the same
	rates     *rows.Sorter[tables.Rate]
	replaying bool
}

// rowBuffer is a sorter of rows that are observed.
type rowBuffer interface {
	begin(*archive.Tx)
	add(row any) error
	Flush() (int64, error)
	Stop()
}

type bufferOf[T any] struct{ *rows.Sorter[T] }

func (b bufferOf[T]) begin(tx *archive.Tx) { b.Begin(archive.NewRowFiles[T](tx, importLevel)) }
func (b bufferOf[T]) add(row any) error    { return b.Add(row.(*T)) }

// buffer adds the buffer of a family of rows.
func buffer[T any](b *rowBuffers) error {
	s, err := rows.NewSorter[T](few)
	one := bufferOf[T]{s}
	b.observed, b.by[reflect.TypeFor[*T]()] = append(b.observed, one), one
	return err
}

func newRowBuffers() (b *rowBuffers, err error) {
	b = &rowBuffers{by: map[reflect.Type]rowBuffer{}}
	if b.flows, err = rows.NewSorter[tables.Flow](rows.SorterOptions{Rows: 500_000, Blobs: 64 << 20, FileRows: maxFileRows}); err != nil {
		return nil, err
	}
	if b.others, err = rows.NewSorter[tables.Other](few); err != nil {
		return nil, err
	}
	for _, add := range []func(*rowBuffers) error{buffer[tables.DNS], buffer[tables.DNSAnswer], buffer[tables.Name], buffer[tables.TLS], buffer[tables.HTTP], buffer[tables.Login], buffer[tables.File], buffer[tables.RPC], buffer[tables.Mail], buffer[tables.ARP], buffer[tables.ICMP], buffer[tables.DHCP], buffer[tables.Oddity]} {
		if err = add(b); err != nil {
			return nil, err
		}
	}
	b.rates, err = rows.NewSorter[tables.Rate](few)
	return b, err
}

func (b *rowBuffers) begin(tx *archive.Tx) {
	b.flows.Begin(archive.NewRowFiles[tables.Flow](tx, importLevel))
	b.others.Begin(archive.NewRowFiles[tables.Other](tx, importLevel))
	b.rates.Begin(archive.NewRowFiles[tables.Rate](tx, importLevel))
	for _, one := range b.observed {
		one.begin(tx)
	}
}

// stop gives up what was not flushed.
func (b *rowBuffers) stop() {
	b.flows.Stop()
	b.others.Stop()
	b.rates.Stop()
	for _, one := range b.observed {
		one.Stop()
	}
}

// flush writes all rows of the batch; it returns how many of them were flows.
func (b *rowBuffers) flush() (flows int64, err error) {
	if _, err := b.others.Flush(); err != nil {
		return 0, err
	}
	if _, err := b.rates.Flush(); err != nil {
		return 0, err
	}
	for _, one := range b.observed {
		if _, err := one.Flush(); err != nil {
			return 0, err
		}
	}
	return b.flows.Flush()
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

// Row implements observe.Sink.
func (b *rowBuffers) Row(row any) error {
	if b.replaying {
		return nil
	}
	return b.by[reflect.TypeOf(row)].add(row)
}

// Rate implements RateSink.
func (b *rowBuffers) Rate(r *tables.Rate) error {
	if b.replaying {
		return nil
	}
	return b.rates.Add(r)
}
