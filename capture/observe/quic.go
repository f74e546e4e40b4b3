package observe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/wiresql/wiresql/tables"
)

// QUIC (RFC 9000) as far as whoever sees it can read it: the keys of Initial packets follow from
// a connection id that stands in the client's first (RFC 9001 section 5.2), and the hellos of TLS
// are in them. A client that is told to come again, by Retry or Version Negotiation, does so with
// another id.

const (
	// maxHandshakes go on at a time, each until it was silent for handshakeLife, and hold
	// maxQUICHeld bytes in all.
	maxHandshakes = 8192
	handshakeLife = 30e9
	maxQUICHeld   = 32 << 20
	// keysHeld is what the keys of a side take.
	keysHeld = 1200
	// maxCrypto is how many bytes of a direction are read, of which maxPieces wait for those before.
	maxCrypto = 32 << 10
	maxPieces = 256
	// maxIDs is how many more connection ids of a conversation are tried.
	maxIDs = 8
	// maxShort is how many packets may follow the handshake before what it lacks is given up.
	maxShort = 32
	// minInitial is how long a datagram with a client's Initial is (RFC 9000 section 14.1).
	minInitial = 1200
	// maxConnectionID is how long an id is at most.
	maxConnectionID = 20
)

// Frames of Initial packets.
const (
	quicPadding = 0
	quicPing    = 1
	quicAck     = 2
	quicAckECN  = 3
	quicCrypto  = 6
	quicClose   = 0x1c
)

// serviceQUIC is the word for it in the column service.
const serviceQUIC = "quic"

// quicVersion is what versions of QUIC differ in.
type quicVersion struct {
	salt, label string
	initial     byte // the type of Initial packets; Retry is the one before it, modulo 4
}

// quicVersions are version 1, version 2 (RFC 9369), and drafts of both that differ from them in
// their salt at most.
var quicVersions = func() map[uint32]*quicVersion {
	v1 := &quicVersion{"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a", "quic", 0}
	draft := &quicVersion{"\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99", "quic", 0}
	v2 := &quicVersion{"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9", "quicv2", 1}
	draft2 := &quicVersion{"\xa7\x07\xc2\x03\xa5\x9b\x47\x18\x4a\x1d\x62\xca\x57\x04\x06\xea\x7a\xe3\xe5\xd3", "quicv2", 1}
	return map[uint32]*quicVersion{1: v1, 0x6b3343cf: v2, 0x709a50c4: draft2, 0xff00001d: draft, 0xff00001e: draft, 0xff00001f: draft, 0xff000020: draft,
		0xff000021: v1, 0xff000022: v1}
}()

// isQUIC recognises the long header of QUIC version 1, version 2 and the drafts of them, also those before the ones that are read.
func isQUIC(b []byte) bool {
	if len(b) < 7 || b[0]&0xc0 != 0xc0 {
		return false
	}
	version := binary.BigEndian.Uint32(b[1:])
	return quicVersions[version] != nil || version>>8 == 0xff0000
}

// BeginsQUIC recognises the first datagram of a QUIC client, whatever its port.
func BeginsQUIC(b []byte) bool { return len(b) >= minInitial && isQUIC(b) }

// quicPacket is a packet with a long header.
type quicPacket struct {
	version uint32
	id      []byte // of its destination
	b       []byte // all of it
	number  int    // where in b its number stands; 0 of all but Initial packets
}

// cutQUIC takes the first packet off a datagram; ok is false of what nothing can be read after.
func cutQUIC(b []byte) (p quicPacket, rest []byte, ok bool) {
	r := bytesReader{b, true}
	first := byte(r.number(1))
	p.version = r.number(4)
	p.id = r.vector(1).b
	id := r.vector(1).b
	v := quicVersions[p.version]
	if !r.ok || first&0x80 == 0 || v == nil || len(p.id) > maxConnectionID || len(id) > maxConnectionID {
		return p, nil, false
	}
	kind := first >> 4 & 3
	if kind == (v.initial+3)&3 { // Retry
		return p, nil, false
	}
	if kind == v.initial {
		r.take(r.varint()) // a token
	}
	n := r.varint()
	number := len(b) - len(r.b)
	if r.take(n); !r.ok {
		return p, nil, false
	}
	if kind == v.initial {
		p.number = number
	}
	p.b = b[:number+n]
	return p, r.b, true
}

// varint takes a number of variable length (RFC 9000 section 16); one that is more than any length is no number.
func (r *bytesReader) varint() int {
	if !r.ok || len(r.b) == 0 {
		r.ok = false
		return 0
	}
	size := 1 << (r.b[0] >> 6)
	b := r.take(size)
	if b == nil {
		return 0
	}
	v := uint64(b[0] & 0x3f)
	for _, c := range b[1:] {
		v = v<<8 | uint64(c)
	}
	if v > 1<<30 {
		v = 1 << 30
	}
	return int(v)
}

// quicKeys open Initial packets of a direction.
type quicKeys struct {
	seal   cipher.AEAD
	iv     []byte
	header cipher.Block
}

// newQUICKeys are the keys of a side that follow from an id.
func newQUICKeys(v *quicVersion, id []byte, side int) *quicKeys {
	label := func(secret []byte, label string, size int) []byte {
		info := append([]byte{byte(size >> 8), byte(size), byte(len("tls13 ") + len(label))}, "tls13 "+label...)
		key, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), size)
		if err != nil {
			panic(err) // sizes are constants
		}
		return key
	}
	secret, err := hkdf.Extract(sha256.New, id, []byte(v.salt))
	if err != nil {
		panic(err)
	}
	secret = label(secret, [...]string{"client in", "server in"}[side], sha256.Size)
	block, err := aes.NewCipher(label(secret, v.label+" key", 16))
	if err != nil {
		panic(err)
	}
	k := &quicKeys{iv: label(secret, v.label+" iv", 12)}
	if k.seal, err = cipher.NewGCM(block); err != nil {
		panic(err)
	}
	if k.header, err = aes.NewCipher(label(secret, v.label+" hp", 16)); err != nil {
		panic(err)
	}
	return k
}

// open decrypts a packet (RFC 9001 sections 5.3 and 5.4), whose number is about that of next.
func (k *quicKeys) open(p *quicPacket, next int64) (frames []byte, number int64, ok bool) {
	if len(p.b) < p.number+4+aes.BlockSize {
		return nil, 0, false
	}
	var mask [aes.BlockSize]byte
	k.header.Encrypt(mask[:], p.b[p.number+4:][:aes.BlockSize])
	header := slices.Clone(p.b[:p.number+4])
	header[0] ^= mask[0] & 0x0f
	size := int(header[0]&3) + 1
	header = header[:p.number+size]
	for i := range size {
		header[p.number+i] ^= mask[1+i]
		number = number<<8 | int64(header[p.number+i])
	}
	// Its upper bits are those that make it the nearest (RFC 9000 appendix A.3).
	window := int64(1) << (8 * size)
	number |= next &^ (window - 1)
	switch {
	case number <= next-window/2:
		number += window
	case number > next+window/2 && number >= window:
		number -= window
	}
	nonce := slices.Clone(k.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(number >> (56 - 8*i))
	}
	frames, err := k.seal.Open(nil, nonce, p.b[p.number+size:], header)
	return frames, number, err == nil
}

// quicHandshake is a handshake going on.
type quicHandshake struct {
	TLS   tlsReader
	ID    []byte // that the keys follow from
	Again int    // how often another was tried
	Short int    // packets after it
	Side  [2]cryptoStream
	keys  map[quicKey]*quicKeys
	held  int
}

// quicKey says whose keys they are: a server may answer in another version (RFC 9368).
type quicKey struct {
	version uint32
	side    int
}

// cryptoStream is the bytes of a direction's CRYPTO frames.
type cryptoStream struct {
	Next   int64 // the number that a packet is expected to have
	Read   int   // how many bytes TLS was given
	Pieces []cryptoPiece
}

// cryptoPiece is bytes that came before those in front of them.
type cryptoPiece struct {
	Offset int
	Data   []byte
}

// observeQUIC reads a datagram.
func (o *Observer) observeQUIC(p *Packet) Finding {
	o.quic.expire(p.TS, o.handshaken)
	b, side := p.Payload, p.side()
	h := o.quic.renew(p.ConnID, p.TS)
	if h == nil {
		if !isQUIC(b) { // a client may come again in a version that the server knows
			return Finding{Done: len(b) == 0 || b[0]&0x80 == 0 || side == 0 && len(b) < minInitial}
		}
		found := Finding{Encrypted: true, Service: serviceQUIC}
		first, _, ok := cutQUIC(b)
		if side == 1 || ok && first.number == 0 {
			return found
		}
		of := p.peers()
		one := quicHandshake{TLS: *newTLSReader(&of), ID: slices.Clone(first.id)}
		if ok {
			_, ok = one.decrypt(side, &first)
		}
		if !ok {
			o.stats.Malformed++
			found.Done = true
			return found
		}
		from := p.origin()
		var evicted bool
		if h, evicted = o.quic.add(p.ConnID, one, p.TS, o.handshaken); evicted {
			o.stats.Evicted++
		}
		h.TLS.Row.Protocol = tables.ProtocolUDP
		h.TLS.Row.TS, h.TLS.Row.FlowID = tables.TimeOf(from.TS), from.FlowID
		h.TLS.Row.PacketID = tables.Opt[tables.ID]{V: from.PacketID, Set: from.Kept}
	}
	o.finding = Finding{}
	h.datagram(o, side, b)
	f := o.finding
	f.Encrypted, f.Service = true, serviceQUIC
	if f.Over = h.TLS.Written; f.Over {
		o.quicHeld -= h.held
		o.quic.remove(p.ConnID)
		return f
	}
	f.Follow = true
	held := h.TLS.holds() + keysHeld*len(h.keys)
	for i := range h.Side {
		for _, piece := range h.Side[i].Pieces {
			held += len(piece.Data) + 32
		}
	}
	o.quicHeld += held - h.held
	for h.held = held; o.quicHeld > maxQUICHeld && o.quic.oldest != nil; {
		o.stats.Evicted++
		o.quic.drop(o.quic.oldest, o.handshaken)
	}
	return f
}

// handshaken writes what is known of a handshake that is given up, or at its end.
func (o *Observer) handshaken(h *quicHandshake) {
	o.quicHeld -= h.held
	h.held = 0
	h.end(o)
}

func (h *quicHandshake) end(o *Observer) {
	h.TLS.lack(o, 0, nil, 0)
	h.TLS.end(o)
}

// datagram reads the packets of a datagram.
func (h *quicHandshake) datagram(o *Observer, side int, b []byte) {
	if len(b) > 0 && b[0]&0x80 == 0 {
		if h.Short++; h.Short > maxShort {
			h.end(o)
		}
		return
	}
	for len(b) > 0 && !h.TLS.Written {
		p, rest, ok := cutQUIC(b)
		if !ok {
			return
		}
		b = rest
		if p.number == 0 {
			continue
		}
		frames, ok := h.decrypt(side, &p)
		if !ok && side == 0 { // told to come again, a client takes another id
			again := quicHandshake{TLS: h.TLS, ID: slices.Clone(p.id), Again: h.Again + 1, Short: h.Short, held: h.held}
			again.TLS.Part = [2][]byte{}
			if h.Again++; h.Again > maxIDs {
				o.stats.Malformed++
				h.end(o)
			} else if frames, ok = again.decrypt(side, &p); ok {
				*h = again
			}
		}
		if ok {
			h.frames(o, side, frames)
		}
	}
}

// decrypt opens a packet, if the keys that follow from the id are its.
func (h *quicHandshake) decrypt(side int, p *quicPacket) (frames []byte, ok bool) {
	key := quicKey{p.version, side}
	k := h.keys[key]
	if k == nil {
		if h.keys == nil {
			h.keys = map[quicKey]*quicKeys{}
		}
		k = newQUICKeys(quicVersions[p.version], h.ID, side)
		h.keys[key] = k
	}
	s := &h.Side[side]
	frames, number, ok := k.open(p, s.Next)
	if ok {
		s.Next = max(s.Next, number+1)
	}
	return frames, ok
}

// frames reads those of an Initial packet (RFC 9000 section 19, table 3).
func (h *quicHandshake) frames(o *Observer, side int, b []byte) {
	for r := (bytesReader{b, true}); len(r.b) > 0 && !h.TLS.Written; {
		switch kind := r.number(1); kind {
		case quicPadding, quicPing:
		case quicAck, quicAckECN:
			r.varint()
			r.varint()
			n := 2*r.varint() + 1
			if kind == quicAckECN {
				n += 3
			}
			for ; n > 0 && r.ok; n-- {
				r.varint()
			}
		case quicCrypto:
			offset, data := r.varint(), r.take(r.varint())
			if r.ok {
				h.crypto(o, side, offset, data)
			}
		case quicClose: // by a side that refuses
			h.end(o)
		default:
			r.ok = false
		}
		if !r.ok {
			o.stats.Malformed++
			return
		}
	}
}

// crypto reads bytes of a direction in their order, each once.
func (h *quicHandshake) crypto(o *Observer, side, offset int, data []byte) {
	s := &h.Side[side]
	if offset+len(data) > maxCrypto || len(s.Pieces) >= maxPieces {
		o.stats.Malformed++
		return
	}
	if offset > s.Read {
		i, _ := slices.BinarySearchFunc(s.Pieces, offset, func(p cryptoPiece, offset int) int { return p.Offset - offset })
		if i < len(s.Pieces) && s.Pieces[i].Offset == offset && len(s.Pieces[i].Data) >= len(data) {
			return // sent again
		}
		s.Pieces = slices.Insert(s.Pieces, i, cryptoPiece{offset, slices.Clone(data)})
		return
	}
	for {
		if old := s.Read - offset; old < len(data) {
			s.Read += len(data) - old
			h.TLS.handshake(o, side, data[old:])
		}
		if len(s.Pieces) == 0 || s.Pieces[0].Offset > s.Read {
			return
		}
		offset, data = s.Pieces[0].Offset, s.Pieces[0].Data
		s.Pieces = s.Pieces[1:]
	}
}
