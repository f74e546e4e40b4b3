package collector

import (
	"cmp"
	"slices"
	"strconv"
	"sync"

	"github.com/wiresql/wiresql/tables"
)

// Metric is one number to watch, of one socket or of one stream of an
// exporter.
type Metric struct {
	*Quantity
	Labels []string // values of Quantity.Labels
	Value  float64
}

// Quantity is what a metric counts.
type Quantity struct {
	Name   string
	Help   string
	Gauge  bool     // it may fall; else it counts up from the start of the program
	Labels []string // what tells its metrics apart
}

type socketQuantity struct {
	Quantity
	of func(*tables.Socket) int64
}

type exporterQuantity struct {
	Quantity
	of func(*tables.Exporter) tables.Opt[int64]
}

var (
	socketLabels   = []string{"socket"}
	exporterLabels = []string{"exporter", "observer", "source_type", "domain"}
)

func socketCounter(name, help string, of func(*tables.Socket) int64) socketQuantity {
	return socketQuantity{Quantity{Name: "wiresql_socket_" + name + "_total", Help: help, Labels: socketLabels}, of}
}

func exporterCounter(name, help string, of func(*tables.Exporter) int64) exporterQuantity {
	return exporterQuantity{Quantity{Name: "wiresql_exporter_" + name + "_total", Help: help, Labels: exporterLabels},
		func(e *tables.Exporter) tables.Opt[int64] { return tables.Some(of(e)) }}
}

func exporterGauge(name, help string, of func(*tables.Exporter) tables.Opt[int64]) exporterQuantity {
	return exporterQuantity{Quantity{Name: "wiresql_exporter_" + name, Help: help, Gauge: true, Labels: exporterLabels}, of}
}

// socketQuantities are the columns of tables.Socket, in datagrams: of what was
// sent to a socket, decoded + undecodable + waited + refused + queue drops +
// kernel drops.
var socketQuantities = []socketQuantity{
	socketCounter("received", "datagrams handed over by the kernel, or messages of TCP", func(s *tables.Socket) int64 { return s.Received }),
	socketCounter("bytes", "their bytes", func(s *tables.Socket) int64 { return s.Bytes }),
	socketCounter("decoded", "decoded as a whole", func(s *tables.Socket) int64 { return s.Decoded }),
	socketCounter("undecodable", "not decodable, whole or in part: malformed, cut, or of another protocol", func(s *tables.Socket) int64 { return s.Undecodable }),
	socketCounter("waited", "put aside until their template comes", func(s *tables.Socket) int64 { return s.Waited }),
	socketCounter("refused", "from a sender that is not on the list, or is one too many", func(s *tables.Socket) int64 { return s.Refused }),
	socketCounter("queue_drops", "dropped for want of room in a queue of the collector", func(s *tables.Socket) int64 { return s.QueueDrops }),
	socketCounter("kernel_drops", "dropped by the kernel: the receive buffer was full, or the checksum wrong", func(s *tables.Socket) int64 { return s.KernelDrops }),
	{Quantity{Name: "wiresql_socket_buffer_bytes", Help: "receive buffer granted by the kernel", Gauge: true, Labels: socketLabels},
		func(s *tables.Socket) int64 { return s.BufferBytes }},
}

// exporterQuantities are the columns of tables.Exporter.
var exporterQuantities = []exporterQuantity{
	exporterCounter("datagrams", "datagrams, or messages of TCP, that came", func(e *tables.Exporter) int64 { return e.Datagrams }),
	exporterCounter("bytes", "their bytes", func(e *tables.Exporter) int64 { return e.Bytes }),
	exporterCounter("records", "flow records stored", func(e *tables.Exporter) int64 { return e.Records }),
	exporterCounter("options_records", "options data records, or counter samples of sFlow", func(e *tables.Exporter) int64 { return e.OptionsRecords }),
	exporterCounter("templates", "templates learnt or changed", func(e *tables.Exporter) int64 { return e.Templates }),
	exporterCounter("undecodable", "datagrams not decodable, whole or in part", func(e *tables.Exporter) int64 { return e.Undecodable }),
	exporterCounter("undecoded_bytes", "bytes of them that were not decoded", func(e *tables.Exporter) int64 { return e.UndecodedBytes }),
	exporterCounter("waited", "data sets put aside until their template comes", func(e *tables.Exporter) int64 { return e.Waited }),
	exporterCounter("late", "of those, decoded when it came", func(e *tables.Exporter) int64 { return e.Late }),
	exporterCounter("expired", "of those, dropped: too old or too many", func(e *tables.Exporter) int64 { return e.Expired }),
	exporterCounter("gaps", "interruptions of the sequence numbers", func(e *tables.Exporter) int64 { return e.Gaps }),
	exporterCounter("missing", "units of the sequence that never came", func(e *tables.Exporter) int64 { return e.Missing }),
	exporterCounter("reordered", "units of the sequence that came late", func(e *tables.Exporter) int64 { return e.Reordered }),
	exporterCounter("duplicates", "units of the sequence that came twice", func(e *tables.Exporter) int64 { return e.Duplicates }),
	exporterCounter("resets", "times the exporter began to count anew", func(e *tables.Exporter) int64 { return e.Resets }),
	exporterGauge("known_templates", "templates known", func(e *tables.Exporter) tables.Opt[int64] { return tables.Some(e.KnownTemplates) }),
	exporterGauge("waiting", "data sets waiting for their template", func(e *tables.Exporter) tables.Opt[int64] { return tables.Some(e.Waiting) }),
	exporterGauge("sampling_rate", "packets that stand for one reported", func(e *tables.Exporter) tables.Opt[int64] { return e.Sampling }),
	exporterGauge("clock_offset_us", "export time minus arrival, microseconds", func(e *tables.Exporter) tables.Opt[int64] { return e.ClockOffsetUs }),
}

// Quantities lists what is counted.
func (t *Totals) Quantities() []*Quantity {
	var all []*Quantity
	for i := range socketQuantities {
		all = append(all, &socketQuantities[i].Quantity)
	}
	for i := range exporterQuantities {
		all = append(all, &exporterQuantities[i].Quantity)
	}
	return all
}

// maxTotals is how many streams have metrics of their own. The streams of all
// further ones are added up under the observer "other": spoofed senders must
// not grow the list without end.
const maxTotals = 4096

// Totals is a sink that passes rows on and adds up the accounts among them,
// so that metrics and tables say the same.
type Totals struct {
	next tables.ExportSink

	mu        sync.Mutex
	sockets   map[string]*tables.Socket
	exporters map[totalKey]*tables.Exporter
}

type totalKey struct {
	exporter         tables.Addr
	observer, source string
	domain           tables.Opt[int64]
}

// NewTotals makes a sink in front of next.
func NewTotals(next tables.ExportSink) *Totals {
	return &Totals{next: next, sockets: map[string]*tables.Socket{}, exporters: map[totalKey]*tables.Exporter{}}
}

// Exports passes flow records on.
func (t *Totals) Exports(rows []tables.Export) error { return t.next.Exports(rows) }

// Socket passes a socket's account on, and adds it up if it was taken.
func (t *Totals) Socket(row *tables.Socket) error {
	if err := t.next.Socket(row); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := t.sockets[row.Socket]
	if sum == nil {
		sum = &tables.Socket{Socket: row.Socket}
		t.sockets[row.Socket] = sum
	}
	sum.Received += row.Received
	sum.Bytes += row.Bytes
	sum.Decoded += row.Decoded
	sum.Undecodable += row.Undecodable
	sum.Waited += row.Waited
	sum.Refused += row.Refused
	sum.QueueDrops += row.QueueDrops
	sum.KernelDrops += row.KernelDrops
	sum.BufferBytes = row.BufferBytes
	return nil
}

// Exporter passes a stream's account on, and adds it up if it was taken.
func (t *Totals) Exporter(row *tables.Exporter) error {
	if err := t.next.Exporter(row); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	key := totalKey{row.Exporter, row.Observer, row.SourceType, row.Domain}
	sum := t.exporters[key]
	if sum == nil && len(t.exporters) >= maxTotals {
		key = totalKey{observer: "other"}
		sum = t.exporters[key]
	}
	if sum == nil {
		sum = &tables.Exporter{Exporter: key.exporter, Observer: key.observer, SourceType: key.source, Domain: key.domain}
		t.exporters[key] = sum
	}
	sum.Datagrams += row.Datagrams
	sum.Bytes += row.Bytes
	sum.Records += row.Records
	sum.OptionsRecords += row.OptionsRecords
	sum.Templates += row.Templates
	sum.Undecodable += row.Undecodable
	sum.UndecodedBytes += row.UndecodedBytes
	sum.Waited += row.Waited
	sum.Late += row.Late
	sum.Expired += row.Expired
	sum.Gaps += row.Gaps
	sum.Missing += row.Missing
	sum.Reordered += row.Reordered
	sum.Duplicates += row.Duplicates
	sum.Resets += row.Resets
	sum.KnownTemplates, sum.Waiting = row.KnownTemplates, row.Waiting
	sum.Sampling, sum.ClockOffsetUs = row.Sampling, row.ClockOffsetUs
	return nil
}

// Metrics returns what was counted so far, in a fixed order.
func (t *Totals) Metrics() []Metric {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Metric
	names := make([]string, 0, len(t.sockets))
	for name := range t.sockets {
		names = append(names, name)
	}
	slices.Sort(names)
	for i := range socketQuantities {
		q := &socketQuantities[i]
		for _, name := range names {
			out = append(out, Metric{&q.Quantity, []string{name}, float64(q.of(t.sockets[name]))})
		}
	}
	keys := make([]totalKey, 0, len(t.exporters))
	for key := range t.exporters {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b totalKey) int {
		return cmp.Or(cmp.Compare(a.exporter.Hi, b.exporter.Hi), cmp.Compare(a.exporter.Lo, b.exporter.Lo),
			cmp.Compare(a.observer, b.observer), cmp.Compare(a.source, b.source), cmp.Compare(a.domain.V, b.domain.V))
	})
	for i := range exporterQuantities {
		q := &exporterQuantities[i]
		for _, key := range keys {
			if v := q.of(t.exporters[key]); v.Set {
				out = append(out, Metric{&q.Quantity, key.labels(), float64(v.V)})
			}
		}
	}
	return out
}

func (k *totalKey) labels() []string {
	domain := ""
	if k.domain.Set {
		domain = strconv.FormatInt(k.domain.V, 10)
	}
	return []string{k.exporter.String(), k.observer, k.source, domain}
}
