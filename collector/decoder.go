package collector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/wiresql/wiresql/tables"
)

// Outcome is what became of a datagram. Every datagram has one.
type Outcome uint8

const (
	// Decoded: all of it.
	Decoded Outcome = iota
	// Undecodable: all or some of it. What could be decoded was.
	Undecodable
	// Waiting: a data set is kept until its template comes; nothing is wrong.
	Waiting
	// Refused: its sender is not on the list, or one too many.
	Refused
)

// String returns the word the socket's counters have for it.
func (o Outcome) String() string {
	return [...]string{"decoded", "undecodable", "waiting", "refused"}[o]
}

const (
	// flowIDBits is how many bits of a flow id count records; the rest name
	// the stream.
	flowIDBits = 40
	maxStream  = 1<<(64-flowIDBits) - 1
	// rowsAtOnce is how many rows are decoded before the sink gets them. Most
	// datagrams hold 20 to 40 records, a hostile one of 64 KB up to 65,000.
	rowsAtOnce = 128
	// reportEvery is how much time a row of exporters covers, while something
	// happens. A stream's first row comes with the next Tick.
	reportEvery = tables.Time(10e6)
)

// Decoder turns datagrams into rows. Its methods may be called from several
// goroutines; the state of an exporter is under that exporter's lock.
type Decoder struct {
	cfg     Config
	sink    tables.ExportSink
	allowed *allowList

	mu        sync.RWMutex // guards exporters
	exporters map[tables.Addr]*exporter

	limits
	maxAge  tables.Time
	records atomic.Uint64 // numbered so far
	works   sync.Pool
	changed atomic.Bool // since State: templates or options

	failed  sync.Mutex
	failure error // of the sink, since Tick
}

// limits bounds what all exporters together may hold. Half of each is only for
// exporters that have brought records: senders that never send a flow (a flood
// of made-up addresses, say) can't take what a known one needs.
type limits struct {
	maxStreams, maxTemplates, maxFields, maxWaiting int64

	streams, templates, fields, waiting, options, samples atomic.Int64
}

// NewDecoder prepares a decoder that hands rows to sink. state is what State
// returned in an earlier run, or nil.
func NewDecoder(cfg Config, sink tables.ExportSink, state []byte) (*Decoder, error) {
	allowed, err := parseExporters(cfg.Exporters)
	if err != nil {
		return nil, err
	}
	if cfg.Stream > maxStream {
		return nil, fmt.Errorf("stream %d does not fit %d bits", cfg.Stream, 64-flowIDBits)
	}
	cfg = cfg.withDefaults()
	d := &Decoder{
		cfg: cfg, sink: sink, allowed: allowed, exporters: map[tables.Addr]*exporter{},
		maxAge: tables.Time(cfg.MaxAge.Microseconds()),
		limits: limits{
			maxStreams:   4 * int64(cfg.MaxExporters),
			maxTemplates: 100_000,
			maxFields:    1_000_000,
			maxWaiting:   64 << 20,
		},
	}
	d.works.New = func() any {
		return &work{d: d, rows: make([]tables.Export, rowsAtOnce), communities: communities{hash: tables.NewCIDHash()}}
	}
	if len(state) > 0 {
		if err := d.load(state); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// work is what decoding one datagram needs. It is used again for the next.
type work struct {
	d        *Decoder
	e        *exporter
	s        *stream
	from     netip.AddrPort
	received tables.Time
	data     []byte // the datagram

	bad    bool // part of it could not be decoded
	waited bool // part of it waits

	rows []tables.Export
	n    int // of them are filled
	// made says how each of rows was made last: one of the same stream and the
	// same template differs only in what the template's fields fill.
	made        [rowsAtOnce]maker
	flow        flowScratch
	communities communities
	sflowScratch
}

// Datagram decodes one UDP payload that arrived at received: NetFlow v5 or v9,
// IPFIX, or sFlow v5, told apart by the version. The bytes are the caller's
// again when it returns.
func (d *Decoder) Datagram(from netip.AddrPort, received tables.Time, data []byte) Outcome {
	return d.decode(from, received, data, (*work).datagram)
}

// Message decodes one IPFIX message of a TCP stream.
func (d *Decoder) Message(from netip.AddrPort, received tables.Time, data []byte) Outcome {
	return d.decode(from, received, data, (*work).ipfix)
}

func (d *Decoder) decode(from netip.AddrPort, received tables.Time, data []byte, decode func(*work)) Outcome {
	e := d.exporter(tables.AddrFromNetip(from.Addr()), received)
	if e == nil {
		return Refused
	}
	w := d.works.Get().(*work)
	w.e, w.s, w.from, w.received, w.data = e, nil, from, received, data
	w.bad, w.waited = false, false
	decode(w)
	if w.s != nil && w.s.counts.Records > 0 {
		e.trusted = true
	}
	outcome := Decoded
	switch {
	case w.s == nil:
		outcome = Refused
	case w.bad:
		outcome = Undecodable
	case w.waited:
		outcome = Waiting
	}
	e.mu.Unlock()
	w.flush()
	w.e, w.s, w.data = nil, nil, nil
	d.works.Put(w)
	return outcome
}

// exporter finds or makes the exporter of an address, and locks it. It returns
// nil when the address is not on the list or there are too many.
func (d *Decoder) exporter(addr tables.Addr, now tables.Time) *exporter {
	for {
		d.mu.RLock()
		e := d.exporters[addr]
		d.mu.RUnlock()
		if e == nil {
			if _, ok := d.allowed.find(addr); !ok {
				return nil
			}
			d.mu.Lock()
			if e = d.exporters[addr]; e == nil {
				if len(d.exporters) >= d.cfg.MaxExporters {
					d.mu.Unlock()
					return nil
				}
				e = &exporter{addr: addr}
				d.exporters[addr] = e
			}
			d.mu.Unlock()
		}
		e.mu.Lock()
		if !e.gone {
			e.heard = now
			return e
		}
		e.mu.Unlock()
	}
}

// datagram tells the protocols apart. sFlow's version is a 32-bit word, those
// of the NetFlow family one of 16 bits.
func (w *work) datagram() {
	if len(w.data) >= 4 {
		switch binary.BigEndian.Uint16(w.data) {
		case 5:
			w.netflow5()
			return
		case 9:
			w.netflow9()
			return
		case 10:
			w.ipfix()
			return
		case 0:
			if binary.BigEndian.Uint16(w.data[2:]) == 5 {
				w.sflow()
				return
			}
		}
	}
	w.unknown("neither NetFlow v5, v9, IPFIX nor sFlow v5")
}

// unknown counts a datagram whose header can't be read.
func (w *work) unknown(why string) {
	if w.open(streamKey{source: sourceUnknown}, 0) != nil {
		w.undecodable(len(w.data), why)
	}
}

// maker is a stream and a template of it, which fill the same columns of each
// row they make.
type maker struct {
	stream   *stream
	template *template
}

// row returns the next row, filled with what all rows of the stream have in
// common. It is in use once seal was called on it.
func (w *work) row() *tables.Export {
	r, _ := w.rowOf(nil)
	return r
}

// rowOf is row for a template whose records all fill the same columns. With
// again it is as the last record left it, but for what rows of a stream do not
// always have in common. A row is 14 cache lines: writing them all took longer
// than decoding a v5 record.
func (w *work) rowOf(t *template) (r *tables.Export, again bool) {
	if w.n == len(w.rows) {
		w.flush()
	}
	r = &w.rows[w.n]
	m := maker{w.s, t}
	if t != nil && w.made[w.n] == m {
		r.Sampling, r.TimeReceived, r.TimeQuality = w.s.row.Sampling, w.s.row.TimeReceived, tables.TimesOK
		return r, true
	}
	*r = w.s.row
	w.made[w.n] = m
	return r, false
}

// seal completes the row that row returned last.
func (w *work) seal(r *tables.Export) {
	src, dst := uint16(r.SrcPort), uint16(r.DstPort)
	if r.Protocol == tables.ProtocolICMP || r.Protocol == tables.ProtocolICMPv6 {
		src, dst = uint16(r.ICMPType.V), uint16(r.ICMPCode.V)
	}
	r.CID = w.communities.of(r.Src, r.Dst, src, dst, uint8(r.Protocol))
	w.n++
	w.s.counts.Records++
}

// flush numbers the rows and hands them to the sink.
func (w *work) flush() {
	if w.n == 0 {
		return
	}
	rows := w.rows[:w.n]
	w.n = 0
	id := w.d.records.Add(uint64(len(rows))) - uint64(len(rows))
	for i := range rows {
		rows[i].FlowID = tables.ID(uint64(w.d.cfg.Stream)<<flowIDBits | (id+uint64(i))&(1<<flowIDBits-1))
	}
	if err := w.d.sink.Exports(rows); err != nil {
		w.d.fail(err)
	}
}

// fail keeps the sink's first error for Tick to return.
func (d *Decoder) fail(err error) {
	d.failed.Lock()
	if d.failure == nil {
		d.failure = err
	}
	d.failed.Unlock()
}

// Tick is called each second. It forgets what is too old and hands a row to
// the sink for each stream that has something to report. The error is the
// sink's, also of rows since the last Tick.
func (d *Decoder) Tick(now tables.Time) error { return d.report(now, false) }

// Close reports what Tick has not: numbers that can no longer come late, and
// the counts of the last seconds. The decoder can be used on.
func (d *Decoder) Close(now tables.Time) error { return d.report(now, true) }

func (d *Decoder) report(now tables.Time, all bool) error {
	d.mu.RLock()
	exporters := make([]*exporter, 0, len(d.exporters))
	for _, e := range d.exporters {
		exporters = append(exporters, e)
	}
	full := len(d.exporters) >= d.cfg.MaxExporters
	d.mu.RUnlock()

	d.failed.Lock()
	errs := []error{d.failure}
	d.failure = nil
	d.failed.Unlock()
	var rows []tables.Exporter
	for _, e := range exporters {
		rows = d.age(e, now, all, full, rows[:0])
		for i := range rows {
			errs = append(errs, d.sink.Exporter(&rows[i]))
		}
	}
	return errors.Join(errs...)
}
