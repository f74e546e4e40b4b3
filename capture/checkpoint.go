package capture

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"hash/crc32"
	"reflect"
	"unsafe"

	"github.com/zeebo/xxh3"

	"github.com/wiresql/wiresql/capture/observe"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// A checkpoint is all that a Meter knows: one that is resumed from it and meters
// the packets that came since gives the rows that the first would have given, with
// the same ids. It is for the program that wrote it: conversations stand in it as
// they stand in memory, a copy each, since there may be half a million.
//
//	"wqlmeter" │ layout u64 │ u32 length │ remembered (gob) │ conversations … │ CRC-32C u32
//	a conversation: its memory │ postings │ server name │ outer addresses
//
// postings and name have their length before them, a varint; who has no tunnel
// has no outer addresses.

const checkpointMagic = "wqlmeter"

// remembered is what a meter knows beside its conversations.
type remembered struct {
	Source                SourceID
	Commit                uint64 // of the log, see archive.Log
	Ordinal               uint64
	Started, Astray       bool
	Clock, Second, Minute int64
	LastTS                int64 // time of the last packet
	LastAt                int64 // when it came, by the machine's clock
	Stats                 Stats
	Others                []rememberedOther
	Folds                 []rememberedFold
	Fragments             []rememberedFragment
	Early                 []rememberedEarly
	Observer              observe.State
	Conversations         int
}

type rememberedOther struct {
	Minute             int64
	Src, Dst           uint64
	EtherType          uint16
	HasMAC             bool
	Err                tables.DecodeError
	First, Last        int64
	Packets, Wire, Cut int64
	Postings           []byte
}

type rememberedFold struct {
	Fold     fold
	Postings []byte
}

// rememberedEarly is a fragment that waits for the first of its datagram.
type rememberedEarly struct {
	TS      int64
	Length  int
	ID      tables.ID
	Lost    bool
	Header  tables.Header
	Cut     bool
	Ordinal uint64
}

type rememberedFragment struct {
	Src, Dst         tables.Addr
	ID, TunnelID     uint32
	Protocol         uint8
	NS               int64
	SrcPort, DstPort uint16
}

// memoryLayout tells programs apart in which a conversation looks different.
var memoryLayout = func() uint64 {
	var text []byte
	var add func(reflect.Type)
	add = func(t reflect.Type) {
		text = fmt.Appendf(text, "%s %d", t, t.Size())
		for i := range t.NumField() {
			f := t.Field(i)
			text = fmt.Appendf(text, " %s@%d", f.Name, f.Offset)
			if f.Type.Kind() == reflect.Struct {
				add(f.Type)
			}
		}
	}
	add(reflect.TypeFor[conversation]())
	return xxh3.Hash(text)
}()

// memory is the bytes of a conversation, which holds no pointers.
func (c *conversation) memory() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(c)), unsafe.Sizeof(*c))
}

// checkpoint returns all that the meter knows, with what r has already.
func (m *Meter) checkpoint(r *remembered) ([]byte, error) {
	r.Source, r.Ordinal, r.Started, r.Astray = m.source, m.ordinal, m.started, m.astray
	r.Clock, r.Second, r.Minute, r.Stats, r.Conversations = m.clock, m.second, m.minute, m.stats, m.table.live
	if m.observer != nil {
		r.Observer = m.observer.State()
	}
	for _, o := range m.others.rows {
		p, _ := m.postings(&o.positions)
		r.Others = append(r.Others, rememberedOther{o.minute, o.src, o.dst, o.etherType, o.hasMAC, o.err, o.first, o.last, o.packets, o.wire, o.cut, p})
	}
	for _, f := range m.folds.list {
		p, _ := m.postings(&f.positions)
		r.Folds = append(r.Folds, rememberedFold{*f, p})
	}
	r.Fragments = m.frags.remember()
	for n := m.frags.oldest; n != m.frags.newest; n++ {
		if e := m.frags.at(n); e.waits {
			r.Early = append(r.Early, rememberedEarly{e.packet.TS, e.packet.Length, e.packet.ID, e.packet.Lost, e.header, e.cut, e.ordinal})
		}
	}
	var text bytes.Buffer
	if err := gob.NewEncoder(&text).Encode(r); err != nil {
		return nil, err
	}
	b := make([]byte, 0, len(checkpointMagic)+text.Len()+m.table.live*(int(unsafe.Sizeof(conversation{}))+64)+64)
	b = binary.LittleEndian.AppendUint64(append(b, checkpointMagic...), memoryLayout)
	b = binary.LittleEndian.AppendUint32(b, uint32(text.Len()))
	b = append(b, text.Bytes()...)
	m.table.all(m.second, func(n uint32) {
		c := m.table.at(n)
		b = append(b, c.memory()...)
		m.ids = c.positions.appendTo(m.blocks, m.ids[:0])
		m.text = rows.AppendPostings(m.text[:0], m.ids)
		b = append(binary.AppendUvarint(b, uint64(len(m.text))), m.text...)
		name := m.names[n]
		b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
		if c.tunnelled {
			for _, a := range m.outer[n] {
				b = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, a.Hi), a.Lo)
			}
		}
	})
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errCheckpoint      = errors.New("it is damaged")
	errOtherCheckpoint = errors.New("another version of the program wrote it")
)

// resume fills a new meter with a checkpoint.
func (m *Meter) resume(b []byte) (*remembered, error) {
	head := len(checkpointMagic) + 12
	if len(b) < head+4 || string(b[:len(checkpointMagic)]) != checkpointMagic {
		return nil, errCheckpoint
	}
	if crc32.Checksum(b[:len(b)-4], castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, errCheckpoint
	}
	if binary.LittleEndian.Uint64(b[len(checkpointMagic):]) != memoryLayout {
		return nil, errOtherCheckpoint
	}
	size := int(binary.LittleEndian.Uint32(b[head-4:]))
	b = b[head : len(b)-4]
	if size > len(b) {
		return nil, errCheckpoint
	}
	r := &remembered{}
	if err := gob.NewDecoder(bytes.NewReader(b[:size])).Decode(r); err != nil {
		return nil, errOtherCheckpoint
	}
	b = b[size:]
	m.source, m.ordinal, m.started, m.astray = r.Source, r.Ordinal, r.Started, r.Astray
	m.clock, m.second, m.minute, m.stats = r.Clock, r.Second, r.Minute, r.Stats
	if m.observer != nil {
		m.observer.Resume(&r.Observer)
	}
	part := func() []byte {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k) {
			b = nil
			return nil
		}
		p := b[k : k+int(n)]
		b = b[k+int(n):]
		return p
	}
	for range r.Conversations {
		var was conversation
		if len(b) < len(was.memory()) {
			return nil, errCheckpoint
		}
		b = b[copy(was.memory(), b):]
		n, c := m.table.insert(&was.key, was.key.hash(m.secret))
		was.hash, was.slot, was.prev, was.next, was.positions = c.hash, c.slot, c.prev, c.next, positions{}
		was.cutoff = cutoffUnknown // they may be others now
		*c = was
		if err := m.have(&c.positions, part()); err != nil {
			return nil, err
		}
		if name := part(); c.named {
			m.names[n] = string(name)
		}
		if c.tunnelled {
			if len(b) < 32 {
				return nil, errCheckpoint
			}
			var outer [2]tables.Addr
			for i := range outer {
				outer[i].Hi, outer[i].Lo = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
				b = b[16:]
			}
			m.outer[n] = outer
		}
		m.schedule(n, c)
	}
	m.others.rows = make(map[otherKey]*otherRow)
	for _, o := range r.Others {
		k := otherKey{o.Minute, o.Src, o.Dst, o.EtherType, o.HasMAC, o.Err}
		row := &otherRow{otherKey: k, first: o.First, last: o.Last, packets: o.Packets, wire: o.Wire, cut: o.Cut}
		if err := m.have(&row.positions, o.Postings); err != nil {
			return nil, err
		}
		m.others.rows[k] = row
	}
	for i := range r.Folds {
		f := &r.Folds[i].Fold
		if f.Key.Protocol == 0 { // of a version that folded nothing else
			f.Key.Protocol = tables.ProtocolTCP
		}
		if err := m.have(&f.positions, r.Folds[i].Postings); err != nil {
			return nil, err
		}
		m.folds.add(f)
	}
	m.frags.resume(r.Fragments)
	for i := range r.Early {
		e := &r.Early[i]
		m.wait(&Packet{TS: e.TS, Length: e.Length, ID: e.ID, Lost: e.Lost, Header: &e.Header}, e.Ordinal)
		m.frags.at(m.frags.newest - 1).cut = e.Cut
	}
	return r, nil
}

// have puts postings into a list of positions.
func (m *Meter) have(l *positions, postings []byte) error {
	return rows.DecodePostings(postings, func(id tables.ID) bool {
		l.add(m.blocks, id)
		return true
	})
}

// remember lists the datagrams, the oldest first.
func (f *fragments) remember() (list []rememberedFragment) {
	for i := range f.ring {
		d := f.ring[(f.next+i)%len(f.ring)]
		if t, ok := f.ports[d]; ok && int(t.slot) == (f.next+i)%len(f.ring) {
			list = append(list, rememberedFragment{d.src, d.dst, d.id, d.tunnelID, t.protocol, t.ns, t.srcPort, t.dstPort})
		}
	}
	return list
}

func (f *fragments) resume(list []rememberedFragment) {
	for _, r := range list {
		h := tables.Header{Src: r.Src, Dst: r.Dst, IPID: r.ID, TunnelID: r.TunnelID, Protocol: r.Protocol}
		f.first(&h, r.NS, r.SrcPort, r.DstPort)
	}
}
