package engine

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// packet is one packet as the packets relations see it.
type packet struct {
	owner     *owner // nil for packets that belong to no flow
	ts        int64  // nanoseconds
	id        tables.ID
	length    int
	caplen    int
	sensor    string
	iface     string
	link      tables.LinkType
	header    tables.Header
	data      []byte // captured bytes, when a column needs them
	info      []byte
	community string // of the header, once computed
}

// owner is what a packet inherits from the row whose postings name it.
type owner struct {
	flow, conn tables.ID
	ok         bool // flow and conn are known: not so for the family other
	// src and the ports are the flow's, for later fragments, which carry no
	// ports of their own.
	src              tables.Addr
	srcPort, dstPort uint16
	ports            bool
}

// set takes over a record. The bytes stay the record's.
func (p *packet) set(id tables.ID, o *owner, sensor string, rec *pcap.Record) {
	p.owner, p.id, p.sensor = o, id, sensor
	p.ts, p.length, p.caplen = rec.TS, rec.Length, len(rec.Data)
	p.iface, p.link = rec.InterfaceName, rec.Link
	p.data, p.info, p.community = rec.Data, p.info[:0], ""
	tables.Decode(rec.Link, rec.Data, rec.Length, &p.header)
	h := &p.header
	if h.FragmentOffset > 0 && o != nil && o.ports {
		h.SrcPort, h.DstPort = o.srcPort, o.dstPort
		if h.Src != o.src {
			h.SrcPort, h.DstPort = o.dstPort, o.srcPort
		}
	}
}

// appendInfo is the info line, made valid UTF-8: names in packets are bytes.
func appendInfo(dst []byte, h *tables.Header, frame []byte) []byte {
	return bytes.ToValidUTF8(tables.AppendInfo(dst, h, frame), []byte("?"))
}

// communityPorts are the ports that enter the Community ID: ICMP has its type
// and code there.
func (p *packet) communityPorts() (src, dst uint16) {
	h := &p.header
	if h.Protocol == tables.ProtocolICMP || h.Protocol == tables.ProtocolICMPv6 {
		return uint16(h.ICMPType), uint16(h.ICMPCode)
	}
	return h.SrcPort, h.DstPort
}

// payload is the captured part of the layer-4 payload.
func (p *packet) payload() []byte {
	h := &p.header
	if h.PayloadOffset <= 0 || h.PayloadOffset > len(p.data) {
		return nil
	}
	return p.data[h.PayloadOffset:min(h.PayloadOffset+h.PayloadLength, len(p.data))]
}

// cell is a value of a packet column: one of its fields, by the column's kind.
type cell struct {
	null   bool
	n      int64  // numbers, µs, MAC, 0 and 1
	hi, lo uint64 // address; hi alone: id, cid
	text   []byte
}

func (c *cell) number(n int64, ok bool)         { c.n, c.null = n, !ok }
func (c *cell) addr(a tables.Addr, ok bool)     { c.hi, c.lo, c.null = a.Hi, a.Lo, !ok }
func (c *cell) str(s string)                    { c.text, c.null = append(c.text[:0], s...), s == "" }
func (c *cell) identifier(id tables.ID, k bool) { c.hi, c.null = uint64(id), !k }

// packetFields computes the columns of packets, packets_wide and packet_bytes.
// hasIP guards what only IP packets have.
var packetFields = map[string]func(p *packet, c *cell){
	"ts":       func(p *packet, c *cell) { c.number(floorDiv(p.ts, 1000), true) },
	"ts_ns":    func(p *packet, c *cell) { c.number(p.ts, true) },
	"sensor":   func(p *packet, c *cell) { c.str(p.sensor) },
	"src_ip":   func(p *packet, c *cell) { c.addr(p.header.Src, p.header.IP) },
	"dst_ip":   func(p *packet, c *cell) { c.addr(p.header.Dst, p.header.IP) },
	"src_port": func(p *packet, c *cell) { c.number(int64(p.header.SrcPort), p.header.IP) },
	"dst_port": func(p *packet, c *cell) { c.number(int64(p.header.DstPort), p.header.IP) },
	"protocol": func(p *packet, c *cell) {
		if c.null = !p.header.IP; !c.null {
			c.str(tables.ProtocolName(p.header.Protocol))
		}
	},
	"protocol_number": func(p *packet, c *cell) { c.number(int64(p.header.Protocol), p.header.IP) },
	"tcp_flags": func(p *packet, c *cell) {
		if c.null = !p.tcp(); !c.null {
			c.text = append(c.text[:0], tables.TCPFlagsText(p.header.TCPFlags)...)
		}
	},
	"tcp_flags_number": func(p *packet, c *cell) { c.number(int64(p.header.TCPFlags), p.tcp()) },
	"tcp_seq":          func(p *packet, c *cell) { c.number(int64(p.header.TCPSeq), p.tcp()) },
	"tcp_ack":          func(p *packet, c *cell) { c.number(int64(p.header.TCPAck), p.tcp()) },
	"tcp_window":       func(p *packet, c *cell) { c.number(int64(p.header.TCPWindow), p.tcp()) },
	"length":           func(p *packet, c *cell) { c.number(int64(p.length), true) },
	"caplen":           func(p *packet, c *cell) { c.number(int64(p.caplen), true) },
	"truncated":        func(p *packet, c *cell) { c.number(truth(p.caplen < p.length), true) },
	"payload_length":   func(p *packet, c *cell) { c.number(int64(p.header.PayloadLength), p.header.IP) },
	"ttl":              func(p *packet, c *cell) { c.number(int64(p.header.TTL), p.header.IP) },
	"tos":              func(p *packet, c *cell) { c.number(int64(p.header.TOS), p.header.IP) },
	"ip_id":            func(p *packet, c *cell) { c.number(int64(p.header.IPID), p.header.IP) },
	"fragment":         func(p *packet, c *cell) { c.number(truth(p.header.Fragment), p.header.IP) },
	"vlan":             func(p *packet, c *cell) { c.number(int64(p.header.VLAN), p.header.VLAN >= 0) },
	"outer_vlan":       func(p *packet, c *cell) { c.number(int64(p.header.OuterVLAN), p.header.OuterVLAN >= 0) },
	"src_mac":          func(p *packet, c *cell) { c.number(int64(p.header.SrcMAC), p.header.HasMAC) },
	"dst_mac":          func(p *packet, c *cell) { c.number(int64(p.header.DstMAC), p.header.HasMAC) },
	"ether_type":       func(p *packet, c *cell) { c.number(int64(p.header.EtherType), p.header.EtherType != 0) },
	"tunnel_type":      func(p *packet, c *cell) { c.str(p.header.Tunnel.String()) },
	"tunnel_id": func(p *packet, c *cell) {
		c.number(int64(p.header.TunnelID), p.header.Tunnel.HasID() || p.header.TunnelID != 0)
	},
	"outer_src_ip": func(p *packet, c *cell) { c.addr(p.header.OuterSrc, p.header.Tunnel != tables.TunnelNone) },
	"outer_dst_ip": func(p *packet, c *cell) { c.addr(p.header.OuterDst, p.header.Tunnel != tables.TunnelNone) },
	"error":        func(p *packet, c *cell) { c.str(p.header.Err.String()) },
	"interface":    func(p *packet, c *cell) { c.str(p.iface) },
	"link_type":    func(p *packet, c *cell) { c.number(int64(p.link), true) },
	"packet_id":    func(p *packet, c *cell) { c.identifier(p.id, true) },
	"segment":      func(p *packet, c *cell) { c.number(int64(p.id.Segment()), true) },
	"offset":       func(p *packet, c *cell) { c.number(p.id.Offset(), true) },
	"flow_id": func(p *packet, c *cell) {
		if c.null = p.owner == nil; !c.null {
			c.identifier(p.owner.flow, p.owner.ok)
		}
	},
	"conn_id": func(p *packet, c *cell) {
		if c.null = p.owner == nil; !c.null {
			c.identifier(p.owner.conn, p.owner.ok)
		}
	},
	"community_id": func(p *packet, c *cell) {
		h := &p.header
		if c.null = !h.IP; c.null {
			return
		}
		if p.community == "" {
			s, d := p.communityPorts()
			p.community = tables.CommunityIDText(h.Src, h.Dst, s, d, h.Protocol)
		}
		c.hi, _ = tables.ParseCommunityID(p.community)
		c.text = append(c.text[:0], p.community...)
	},
	"info":    func(p *packet, c *cell) { c.text, c.null = append(c.text[:0], p.info...), false },
	"payload": func(p *packet, c *cell) { b := p.payload(); c.text, c.null = append(c.text[:0], b...), !p.header.IP },
	"frame":   func(p *packet, c *cell) { c.text, c.null = append(c.text[:0], p.data...), false },
}

func (p *packet) tcp() bool { return p.header.IP && p.header.Protocol == tables.ProtocolTCP }

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// write stores a cell of a kind; part 1 is the low half of an address or the
// text of a community id.
func (w *vectorWriter) write(row int, kind tables.Kind, part int, c *cell) {
	if c.null {
		w.setNull(row)
		return
	}
	switch kind {
	case tables.Int:
		put(w, row, int32(c.n))
	case tables.Bool:
		put(w, row, c.n != 0)
	case tables.Timestamp, tables.BigInt, tables.MAC:
		put(w, row, c.n)
	case tables.Address:
		if part == 1 {
			put(w, row, c.lo)
		} else {
			put(w, row, c.hi)
		}
	case tables.Identifier:
		put(w, row, c.hi)
	case tables.CommunityID:
		if part == 1 {
			w.setBytes(row, c.text)
		} else {
			put(w, row, c.hi)
		}
	default:
		w.setBytes(row, c.text)
	}
}

// packetFeed hands the packets of a key set to DuckDB: it fetches them in the
// order they lie on disk and decodes what the statement reads.
type packetFeed struct {
	ctx      context.Context
	archive  *archive.Archive
	catalog  *archive.Catalog
	keys     *keySet
	batch    int // packets handed over at a time
	fields   []packetField
	from, to tables.Time // packets outside need not be returned; 0 = open
	work     *work       // of the statement, told of progress
	cut      *atomic.Int64
	done     func(archive.FetchStats)
}

// packetField is one vector of the feed.
type packetField struct {
	feedColumn
	kind   tables.Kind
	part   int
	column string
}

// packetVectors are the vectors of the columns a statement refers to.
func packetVectors(rel *tables.Relation, columns []string) ([]packetField, error) {
	var fields []packetField
	seen := map[string]bool{}
	for _, name := range columns {
		kind := tables.CommunityID
		if name == "cid" {
			name = "community_id"
		} else if col := rel.Column(name); col != nil {
			kind = col.Kind
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		if rel.Column(name) == nil || packetFields[name] == nil {
			return nil, fmt.Errorf("relation %s has no column %s", rel.Name, name)
		}
		for part, c := range feedColumns(name, kind) {
			fields = append(fields, packetField{c, kind, part, name})
		}
	}
	if len(fields) == 0 { // COUNT(*) still needs a column to count by
		fields = append(fields, packetField{feedColumn{"packet_id", duckdb.TypeUBigInt}, tables.Identifier, 0, "packet_id"})
	}
	return fields, nil
}

func (f *packetFeed) columns() []feedColumn {
	out := make([]feedColumn, len(f.fields))
	for i, p := range f.fields {
		out[i] = p.feedColumn
	}
	return out
}

// packetBatch is what the producer hands over: one chunk of packets and the
// memory their bytes lie in.
type packetBatch struct {
	packets []packet
	arena   []byte
}

const (
	// batchBytes ends a batch early, so that frames in flight stay few.
	batchBytes = 4 << 20
	// tellEvery is after how many packets progress is told.
	tellEvery = 256
	// maxCompleted bounds the owners of later fragments that are remembered.
	maxCompleted = 10_000
)

type packetRun struct {
	feed    *packetFeed
	wanted  []packetField
	getters []func(p *packet, c *cell)
	batches chan *packetBatch
	free    chan *packetBatch
	cancel  context.CancelFunc
	ended   sync.WaitGroup
	err     error // of the producer; valid once batches is closed
	batch   *packetBatch
	row     int
	cell    cell
}

func (f *packetFeed) start(wanted []int) (feedRun, error) {
	ctx, cancel := context.WithCancel(f.ctx)
	r := &packetRun{feed: f, cancel: cancel,
		batches: make(chan *packetBatch, 2), free: make(chan *packetBatch, 4)}
	info, bytes := false, false
	for _, w := range wanted {
		if w < 0 {
			r.wanted, r.getters = append(r.wanted, packetField{}), append(r.getters, nil)
			continue
		}
		field := f.fields[w]
		r.wanted = append(r.wanted, field)
		r.getters = append(r.getters, packetFields[field.column])
		info = info || field.column == "info"
		bytes = bytes || field.kind == tables.Bytes
	}
	r.ended.Add(1)
	go func() {
		defer r.ended.Done()
		defer close(r.batches)
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("internal error reading packets: %v", p)
			}
		}()
		r.err = r.produce(ctx, info, bytes)
	}()
	return r, nil
}

// produce reads packets in disk order and hands them over in batches; the
// channel's two places are the back-pressure.
func (r *packetRun) produce(ctx context.Context, info, keepBytes bool) error {
	f := r.feed
	var b *packetBatch
	next := func() {
		select {
		case b = <-r.free:
			b.packets, b.arena = b.packets[:0], b.arena[:0]
		default:
			b = &packetBatch{packets: make([]packet, 0, min(f.batch, len(f.keys.refs)))}
		}
	}
	send := func() error {
		select {
		case r.batches <- b:
			b = nil
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	completed := map[int32]*owner{}
	untold := int64(0) // packets read that the work does not know of
	segment, sensor := ^uint32(0), ""
	stats, err := f.archive.Fetch(ctx, f.catalog, f.keys.refs, func(ref archive.Ref, rec *pcap.Record) error {
		if untold++; untold == tellEvery {
			f.work.packets.Add(untold)
			untold = 0
		}
		if us := tables.Time(floorDiv(rec.TS, 1000)); f.from != 0 && us < f.from || f.to != 0 && us >= f.to {
			return nil
		}
		if s := ref.ID.Segment(); s != segment {
			segment = s
			if i, ok := f.catalog.Segment(s); ok {
				sensor = i.Sensor
			}
		}
		if b == nil {
			next()
		}
		b.packets = b.packets[:len(b.packets)+1]
		p := &b.packets[len(b.packets)-1]
		o := &f.keys.owners[ref.Owner]
		if p.set(ref.ID, o, sensor, rec); p.header.FragmentOffset > 0 && !o.ports && f.keys.find != nil {
			whole := completed[ref.Owner]
			if whole == nil {
				whole = &owner{}
				if *whole = *o; len(completed) < maxCompleted {
					completed[ref.Owner] = whole
				}
				if err := f.keys.find(whole); err != nil {
					return err
				}
			}
			p.set(ref.ID, whole, sensor, rec)
		}
		if info {
			p.info = appendInfo(p.info, &p.header, rec.Data)
		}
		if p.data = nil; keepBytes {
			// A full arena is left to the packets that point into it.
			if len(b.arena)+len(rec.Data) > cap(b.arena) {
				b.arena = make([]byte, 0, max(256<<10, len(rec.Data)))
			}
			at := len(b.arena)
			b.arena = append(b.arena, rec.Data...)
			p.data = b.arena[at:len(b.arena):len(b.arena)]
			if len(rec.Data) < rec.Length {
				f.cut.Add(1)
			}
		}
		if len(b.packets) == cap(b.packets) || keepBytes && len(b.packets)*len(rec.Data) > batchBytes {
			return send()
		}
		return nil
	})
	f.work.packets.Add(untold)
	f.work.fetched(stats)
	if f.done != nil {
		f.done(stats)
	}
	if err != nil {
		return err
	}
	if b != nil {
		return send()
	}
	return nil
}

// fill implements feedRun.
func (r *packetRun) fill(vectors []vectorWriter, capacity int) (int, error) {
	for r.batch == nil || r.row >= len(r.batch.packets) {
		r.recycle()
		var ok bool
		if r.batch, ok = <-r.batches; !ok {
			r.batch = nil
			return 0, r.err
		}
		r.row = 0
	}
	rows := r.batch.packets[r.row:min(r.row+capacity, len(r.batch.packets))]
	r.row += len(rows)
	for i := range vectors {
		if i >= len(r.getters) || r.getters[i] == nil {
			continue
		}
		field, get := &r.wanted[i], r.getters[i]
		for row := range rows {
			r.cell.null = false
			get(&rows[row], &r.cell)
			vectors[i].write(row, field.kind, field.part, &r.cell)
		}
	}
	return len(rows), nil
}

// recycle gives the batch back to the producer.
func (r *packetRun) recycle() {
	if r.batch != nil {
		select {
		case r.free <- r.batch:
		default:
		}
		r.batch = nil
	}
}

// close implements feedRun: it stops the producer and waits for it.
func (r *packetRun) close() {
	r.cancel()
	for range r.batches {
	}
	r.ended.Wait()
}
