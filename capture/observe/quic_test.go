package observe

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/gob"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// sealing is the keys of a side, as an RFC lists them.
type sealing struct{ key, iv, hp string }

// seal is an Initial packet with a number of two bytes, or of four, for header ends in it.
func (k *sealing) seal(t testing.TB, header, number int, at int64, b []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(unhex(t, k.key))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	hp, err := aes.NewCipher(unhex(t, k.hp))
	if err != nil {
		t.Fatal(err)
	}
	nonce := unhex(t, k.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(at >> (56 - 8*i))
	}
	head := slices.Clone(b[:header+number])
	p := append(head, gcm.Seal(nil, nonce, b[header+number:], head)...)
	var mask [16]byte
	hp.Encrypt(mask[:], p[header+4:header+20])
	p[0] ^= mask[0] & 0x0f
	for i := range number {
		p[header+i] ^= mask[1+i]
	}
	return p
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What RFC 9001 appendix A and RFC 9369 appendix A list for the id 8394c8f03e515708.
var quicSamples = []struct {
	client, server                        sealing
	clientHeader, serverHeader            string
	clientBegins, clientEnds, serverWhole string
}{
	{sealing{"1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2"},
		sealing{"cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03e", "c206b8d9b9f0f37644430b490eeaa314"},
		"c300000001088394c8f03e5157080000449e00000002", "c1000000010008f067a5502a4262b50040750001",
		"c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11", "e221af44860018ab0856972e194cd934",
		"cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3" +
			"dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4" +
			"2158407dd074ee"},
	{sealing{"8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9"},
		sealing{"82db637861d55e1d011f19ea71d5d2a7", "dd13c276499c0249d3310652", "edf6d05c83121201b436e16877593c3a"},
		"d36b3343cf088394c8f03e5157080000449e00000002", "d16b3343cf0008f067a5502a4262b50040750001",
		"d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485", "a18b2faa745b6fe189cf772a9f84cbfc",
		"dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf87263017915358230035f7fd3945d88965cf17" +
			"f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca8" +
			"4bed8521e2e140"},
}

// The frames that both encrypt.
const (
	quicClientHello = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578616d" +
		"706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4" +
		"559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c00024001003900" +
		"320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff"
	quicServerHello = "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a1200130100002e00330024001d00209d3c94" +
		"0d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00020304"
)

// quicRow is what both hellos give.
const quicRow = "10.0.0.5:40000 192.0.2.1:443 17 example.com alpn TLSv1.3 TLS_AES_128_GCM_SHA256 {false true} q13d0211"

func rowOfQUIC(r *tables.TLS) string {
	return fmt.Sprint(r.Client, ":", r.ClientPort, " ", r.Server, ":", r.ServerPort, " ", r.Protocol, " ", r.ServerName, " ", r.ALPN, " ", r.Version, " ", r.Cipher, " ", r.Resumed, " ", r.JA4[:min(len(r.JA4), 8)])
}

func rowsOfQUIC(r *rows) (text string) {
	for i := range r.tls {
		text += rowOfQUIC(&r.tls[i]) + "\n"
	}
	return text
}

// quic is a datagram between them.
func quic(at float64, from, to string, b []byte) *Packet {
	p := udp(at, from, to, b)
	p.Client, p.Server = addr("10.0.0.5"), addr("192.0.2.1")
	return p
}

const quicClient, quicServer = "10.0.0.5:40000", "192.0.2.1:443"

// TestQUICSamples: the samples of both RFCs are read, and are what is made here for the tests below.
func TestQUICSamples(t *testing.T) {
	for i, s := range quicSamples {
		frames := append(unhex(t, quicClientHello), make([]byte, 1162)...)[:1162]
		client := s.client.seal(t, 18, 4, 2, slices.Concat(unhex(t, s.clientHeader), frames))
		if text := hex.EncodeToString(client); !strings.HasPrefix(text, s.clientBegins) || !strings.HasSuffix(text, s.clientEnds) {
			t.Errorf("%d: the client's packet is %s", i, text)
		}
		server := s.server.seal(t, 18, 2, 1, slices.Concat(unhex(t, s.serverHeader), unhex(t, quicServerHello)))
		if text := hex.EncodeToString(server); text != s.serverWhole {
			t.Errorf("%d: the server's packet is %s", i, text)
		}
		r := &rows{}
		o := New(r)
		f := o.Observe(quic(1, quicClient, quicServer, client))
		if f.ServerName != "example.com" || !f.FromTLS || !f.Encrypted || f.Service != "quic" || !f.Follow || f.Over {
			t.Errorf("%d: the hello told %+v", i, f)
		}
		if f = o.Observe(quic(2, quicServer, quicClient, server)); f.ServerName != "" || f.Service != "quic" || !f.Over {
			t.Errorf("%d: the answer told %+v", i, f)
		}
		if len(r.tls) != 1 || rowOfQUIC(&r.tls[0]) != quicRow || r.tls[0].JA3 == "" || r.tls[0].JA3S == "" || r.tls[0].TS != 1_000_000 {
			t.Errorf("%d: %s", i, rowsOfQUIC(r))
		}
		if o.Stats() != (Stats{Packets: 2}) || o.quicHeld != 0 || o.quic.len != 0 {
			t.Errorf("%d: %+v", i, o.Stats())
		}
	}
}

// sealQUIC is an Initial of a side for an id, in a version.
func sealQUIC(t testing.TB, version uint32, id []byte, side int, number int64, frames []byte) []byte {
	t.Helper()
	v := quicVersions[version]
	k := newQUICKeys(v, id, side)
	b := []byte{0xc3 | v.initial<<4}
	b = binary.BigEndian.AppendUint32(b, version)
	b = append(append(b, byte(len(id))), id...)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, 0x4000|uint16(4+len(frames)+16))
	at := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(number))
	nonce := slices.Clone(k.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(number >> (56 - 8*i))
	}
	p := k.seal.Seal(b, nonce, frames, b)
	var mask [16]byte
	k.header.Encrypt(mask[:], p[at+4:at+20])
	p[0] ^= mask[0] & 0x0f
	for i := range 4 {
		p[at+i] ^= mask[1+i]
	}
	return p
}

func cryptoFrame(offset int, data []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{quicCrypto}, 0x80000000|uint32(offset))
	return append(binary.BigEndian.AppendUint16(b, 0x4000|uint16(len(data))), data...)
}

// TestQUICInPieces: hellos come in pieces of any size and order, some of them twice, several in a packet and several
// packets in a datagram, and the observer is another one after each.
func TestQUICInPieces(t *testing.T) {
	id := []byte("\x83\x94\xc8\xf0\x3e\x51\x57\x08")
	hello, answer := unhex(t, quicClientHello)[4:], unhex(t, quicServerHello)[9:]
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		version := []uint32{1, 0x6b3343cf, 0xff00001d}[seed%3]
		pieces := func(side int, b []byte) (datagrams [][]byte) {
			var frames [][]byte
			for at := 0; at < len(b); {
				n := min(1+random.IntN(40), len(b)-at)
				from := max(at-random.IntN(5), 0)
				for range 1 + random.IntN(2) {
					frames = append(frames, cryptoFrame(from, b[from:at+n]))
				}
				at += n
			}
			random.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
			for number := int64(random.IntN(3)); len(frames) > 0; number += int64(1 + random.IntN(300)) {
				n := min(1+random.IntN(6), len(frames))
				packet := sealQUIC(t, version, id, side, number, slices.Concat([]byte{1, 0, 2, 5, 0, 0, 5}, bytes.Join(frames[:n], []byte{0, 1})))
				if frames = frames[n:]; len(datagrams) > 0 && random.IntN(3) == 0 {
					packet = append(datagrams[len(datagrams)-1], packet...)
					datagrams = datagrams[:len(datagrams)-1]
				}
				datagrams = append(datagrams, packet)
			}
			return datagrams
		}
		r := &rows{}
		o := New(r)
		hand := func(from, to string, datagrams [][]byte) (over bool) {
			for _, b := range datagrams {
				f := o.Observe(quic(1, from, to, b))
				if over = over || f.Over; f.Over {
					break
				}
				var kept bytes.Buffer
				state, again := o.State(), State{}
				if err := cmp.Or(gob.NewEncoder(&kept).Encode(&state), gob.NewDecoder(&kept).Decode(&again)); err != nil {
					t.Fatal(err)
				}
				if o.Stats().Malformed+o.Stats().Panics != 0 {
					t.Fatalf("seed %d: %+v", seed, o.Stats())
				}
				o = New(r)
				o.Resume(&again)
			}
			return over
		}
		if hand(quicClient, quicServer, pieces(0, hello)) {
			t.Errorf("seed %d: over after the client's hello", seed)
		}
		if !hand(quicServer, quicClient, pieces(1, answer)) {
			t.Errorf("seed %d: not over after both hellos", seed)
		}
		if len(r.tls) != 1 || rowOfQUIC(&r.tls[0]) != quicRow {
			t.Fatalf("seed %d: %s", seed, rowsOfQUIC(r))
		}
	}
}

// TestQUICAgain: a client that is told to come again takes another id, and perhaps version; a server may answer in another.
func TestQUICAgain(t *testing.T) {
	first, second := []byte("firstone"), []byte("second one")
	hello, answer := unhex(t, quicClientHello), unhex(t, quicServerHello)
	retry := unhex(t, "ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba")
	unknown := append(unhex(t, "c01a2a3a4a088394c8f03e515708"), make([]byte, 1200)...)
	versions := unhex(t, "8000000000088394c8f03e51570800000000016b3343cf")
	big := func(b []byte) []byte { return append(b, make([]byte, max(0, 1200-len(b)))...) }
	for what, list := range map[string][]*Packet{
		"retry": {quic(1, quicClient, quicServer, big(sealQUIC(t, 1, first, 0, 0, hello))), quic(2, quicServer, quicClient, retry),
			quic(3, quicClient, quicServer, big(sealQUIC(t, 1, second, 0, 1, hello))), quic(4, quicServer, quicClient, sealQUIC(t, 1, second, 1, 0, answer))},
		"version negotiation": {quic(1, quicClient, quicServer, unknown), quic(2, quicServer, quicClient, versions),
			quic(3, quicClient, quicServer, big(sealQUIC(t, 0x6b3343cf, second, 0, 0, hello))), quic(4, quicServer, quicClient, sealQUIC(t, 0x6b3343cf, second, 1, 0, answer))},
		"another version": {quic(1, quicClient, quicServer, big(sealQUIC(t, 1, first, 0, 0, hello))), quic(2, quicServer, quicClient, sealQUIC(t, 0x6b3343cf, first, 1, 0, answer))},
		"a damaged packet between": {quic(1, quicClient, quicServer, big(sealQUIC(t, 1, first, 0, 0, cryptoFrame(100, hello[104:])))),
			quic(2, quicClient, quicServer, big(sealQUIC(t, 1, first, 0, 1, hello))[:300]), quic(2, quicServer, quicClient, answer),
			quic(3, quicClient, quicServer, big(sealQUIC(t, 1, first, 0, 2, cryptoFrame(0, hello[4:150])))), quic(4, quicServer, quicClient, sealQUIC(t, 1, first, 1, 0, answer))},
	} {
		r := &rows{}
		o := New(r)
		var f Finding
		for _, p := range list {
			if f = o.Observe(p); f.Done {
				t.Errorf("%s: given up", what)
			}
		}
		if !f.Over || len(r.tls) != 1 || rowOfQUIC(&r.tls[0]) != quicRow || o.Stats().Panics+o.Stats().Malformed != 0 {
			t.Errorf("%s: %+v, %s, %+v", what, f, rowsOfQUIC(r), o.Stats())
		}
	}
}

// TestQUICHalf: what is there of a handshake is a row when it is given up, refused, or over.
func TestQUICHalf(t *testing.T) {
	id := []byte("firstone")
	hello := unhex(t, quicClientHello)
	const half = "10.0.0.5:40000 192.0.2.1:443 17 example.com alpn   {false false} "
	for what, end := range map[string]func(o *Observer){
		"silence": func(o *Observer) { o.Tick(60 * second) },
		"the end": func(o *Observer) { o.End(8) },
		"flush":   func(o *Observer) { o.Flush() },
		"refusal": func(o *Observer) {
			o.Observe(quic(2, quicServer, quicClient, sealQUIC(t, 1, id, 1, 0, append([]byte{quicClose}, make([]byte, 30)...))))
		},
		"packets": func(o *Observer) { quicFollows(o, 33, []byte("\x40after the handshake")) },
		"attempts": func(o *Observer) {
			quicFollows(o, maxIDs+1, sealQUIC(t, 1, []byte("of others"), 1, 0, make([]byte, 40)))
		},
	} {
		for _, whole := range []bool{true, false} {
			r := &rows{}
			o := New(r)
			frames, want := hello, half+"q13d0211"
			if !whole {
				frames, want = cryptoFrame(0, hello[4:150]), half
			}
			o.Observe(quic(1, quicClient, quicServer, sealQUIC(t, 1, id, 0, 0, frames)))
			end(o)
			if len(r.tls) != 1 || rowOfQUIC(&r.tls[0]) != want || o.quicHeld != 0 || o.quic.len != 0 {
				t.Errorf("%s: %s", what, rowsOfQUIC(r))
			}
		}
	}
}

func quicFollows(o *Observer, n int, b []byte) {
	for range n {
		o.Observe(quic(2, quicClient, quicServer, b))
	}
}

// TestQUICIsBounded: neither pieces that never join nor clients that never go on hold more than they may.
func TestQUICIsBounded(t *testing.T) {
	r := &rows{}
	o := New(r)
	for conn := range 3000 {
		id := binary.BigEndian.AppendUint64(nil, uint64(conn))
		for i := range 20 {
			p := quic(1, quicClient, quicServer, sealQUIC(t, 1, id, 0, int64(i), cryptoFrame(1+i*1200, make([]byte, 1100))))
			p.ConnID = tables.ID(conn)
			o.Observe(p)
			if o.quicHeld > maxQUICHeld || o.quicHeld < 0 {
				t.Fatal("holds ", o.quicHeld)
			}
		}
	}
	if o.Stats().Evicted < 1000 || o.quic.len > maxHandshakes {
		t.Errorf("%+v", o.Stats())
	}
	// Of one, neither more bytes nor more pieces.
	o = New(r)
	for i := range 2000 {
		o.Observe(quic(1, quicClient, quicServer, sealQUIC(t, 1, []byte("firstone"), 0, int64(i), cryptoFrame(2+2*i, []byte{1}))))
	}
	if n := len(o.quic.get(8).Side[0].Pieces); n != maxPieces || o.Stats().Malformed != 2000-maxPieces {
		t.Errorf("%d pieces, %+v", n, o.Stats())
	}
	o.Observe(quic(1, quicClient, quicServer, sealQUIC(t, 1, []byte("firstone"), 0, 3000, cryptoFrame(1<<29, []byte{1}))))
	if o.Stats().Malformed != 2001-maxPieces {
		t.Errorf("%+v", o.Stats())
	}
	if err := o.Flush(); err != nil || len(r.tls) != 0 || o.quicHeld != 0 {
		t.Errorf("%v, %d rows, %d bytes", err, len(r.tls), o.quicHeld)
	}
}

// FuzzQUIC hands over datagrams as they are, and frames that were encrypted.
func FuzzQUIC(f *testing.F) {
	for _, s := range quicSamples {
		f.Add(unhex(f, s.serverWhole), unhex(f, quicServerHello), false)
	}
	f.Add(unhex(f, "ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba"), unhex(f, quicClientHello), true)
	f.Add([]byte{}, slices.Concat([]byte{3, 0, 0, 1, 0, 1, 1, 1, 1, 1}, cryptoFrame(3, []byte{1, 2, 3}), cryptoFrame(0, []byte{1, 0, 0, 9})), true)
	f.Fuzz(func(t *testing.T, datagram, frames []byte, client bool) {
		if len(frames) > 16000 {
			return
		}
		r := &rows{}
		o := New(r)
		id := []byte("firstone")
		from, to, side := quicServer, quicClient, 1
		if client {
			from, to, side = to, from, 0
		}
		o.Observe(quic(1, from, to, datagram))
		o.Observe(quic(1, quicClient, quicServer, sealQUIC(t, 1, id, 0, 0, make([]byte, 30))))
		o.Observe(quic(1, from, to, sealQUIC(t, 1, id, side, 1, append(frames, make([]byte, 8)...))))
		o.Observe(quic(1, from, to, datagram))
		o.Flush()
		if o.Stats().Panics != 0 || o.quicHeld != 0 || len(r.tls) > 3 {
			t.Fatalf("%+v, %d bytes, %d rows", o.Stats(), o.quicHeld, len(r.tls))
		}
	})
}

// BenchmarkQUIC is a handshake, of which all but the two Initials is not read.
func BenchmarkQUIC(b *testing.B) {
	o := New(&discard{})
	client := quic(1, quicClient, quicServer, append(sealQUIC(b, 1, []byte("firstone"), 0, 0, append(unhex(b, quicClientHello), make([]byte, 900)...)), 0))
	server := quic(1, quicServer, quicClient, sealQUIC(b, 1, []byte("firstone"), 1, 0, unhex(b, quicServerHello)))
	for b.Loop() {
		o.Observe(client)
		o.Observe(server)
	}
}
