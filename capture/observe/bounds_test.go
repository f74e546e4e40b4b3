package observe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// allocated is how many bytes something takes and lets go of: a measure of its work that a busy machine does not change.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// inHeap is how many bytes are in use.
func inHeap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// hpackString is a string that is not coded (RFC 7541 section 5.2).
func hpackString(s string) (b []byte) {
	n := len(s)
	if n < 127 {
		return append([]byte{byte(n)}, s...)
	}
	b = append(b, 127)
	for n -= 127; n >= 128; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(append(b, byte(n)), s...)
}

// largeField is a client's conversation that has a field put into the table which fills it, and then, in a packet of its
// own, heads that name it four times each with a byte.
func largeField(name, value string) (put, heads []byte) {
	put = []byte(http2Preface)
	block := slices.Concat([]byte{0x3f, 0xe1, 0xff, 0x03, 0x40}, hpackString(name), hpackString(value))
	kind := byte(http2Headers)
	for part := range slices.Chunk(block, 16000) {
		put = append(put, http2Frame(kind, 0, 1, part)...)
		kind = http2Continuation
	}
	put = append(put, http2Frame(http2Continuation, 4, 1, nil)...)
	for i := range 100 {
		heads = append(heads, http2Frame(http2Headers, 5, uint32(3+2*i), []byte{0xbe, 0xbe, 0xbe, 0xbe})...)
	}
	return put, heads
}

// TestHTTP2FieldsThatAreNamed: bytes that stand for the whole table neither cost nor hold what they stand for.
func TestHTTP2FieldsThatAreNamed(t *testing.T) {
	for _, name := range []string{":method", ":path", ":authority", "authorization", "user-agent", "content-type", "content-disposition", "host", "referer", "x"} {
		for _, value := range []string{strings.Repeat("x", 60000), strings.Repeat("é", 30000), strings.Repeat("\xff", 60000), "Basic " + strings.Repeat("QUJD", 14000)} {
			o := New(&discard{})
			put, heads := largeField(name, value)
			seq := uint32(1)
			hand := func(b []byte) {
				p := packet(1, tables.ProtocolTCP, "10.0.0.5:40000", "192.0.2.1:80", seq, b)
				p.FromClient, p.First, p.Begin, p.Begins = true, seq == 1, 1, true
				seq += uint32(len(b))
				o.Observe(p)
			}
			for part := range slices.Chunk(put, 1400) {
				hand(part)
			}
			before := inHeap()
			if n := allocated(func() { hand(heads) }); n > 4<<20 {
				t.Errorf("%s %.9q: %d bytes of work for a packet", name, value, n)
			}
			if n := inHeap() - before; n > 2<<20 {
				t.Errorf("%s %.9q: holds %d bytes, and knows of %d", name, value, n, o.held)
			}
			if r := o.streams.get(8).reader.(*http2Reader); len(r.Open) != 101 {
				t.Fatalf("%s: %d streams", name, len(r.Open))
			}
		}
	}
}

// TestNFSNamesAreBounded: what is remembered of names, and what a path of long ones costs.
func TestNFSNamesAreBounded(t *testing.T) {
	o := New(&discard{})
	hand := func(client bool, b []byte) {
		p := udp(1, "10.0.0.5:800", "10.0.0.1:2049", b)
		if p.FromClient = client; !client {
			p = udp(1, "10.0.0.1:2049", "10.0.0.5:800", b)
			p.FromClient = false
		}
		o.Observe(p)
	}
	for i := range 2 * maxDepth {
		hand(true, nfsAsk(i, nfsLookup, 1, fmt.Sprint("h", i), fmt.Sprintf("%01000d", i)))
		hand(false, nfsReply(i, 0, fmt.Sprint("h", i+1), 0, 0))
	}
	hand(true, nfsAsk(1, nfsRename, 1, "h40", strings.Repeat("a", 1000), "h41", strings.Repeat("é", 500)))
	if c := o.calls.newest; c == nil || len(c.value.Name) != maxNFSName || len(c.value.NewName) != maxNFSName {
		t.Errorf("%+v", c)
	}
	for e := o.handles.oldest; e != nil; e = e.next {
		if len(e.value.Name) != maxNFSName {
			t.Errorf("a name of %d bytes", len(e.value.Name))
		}
	}
	if n := allocated(func() { hand(false, nfsReply(1, 0, 0, 0)) }); n > 3*maxDepth*maxNFSName {
		t.Errorf("%d bytes of work for a path", n)
	}
}

// TestQUICKeysAreBounded: keys are made for a few ids of a conversation, and count to what is held.
func TestQUICKeysAreBounded(t *testing.T) {
	o := New(&discard{})
	o.Observe(quic(1, quicClient, quicServer, sealQUIC(t, 1, []byte("firstone"), 0, 0, make([]byte, 1100))))
	answer := sealQUIC(t, 1, []byte("firstone"), 1, 0, make([]byte, 60)) // of version 2 it is no Initial
	for version := range quicVersions {
		binary.BigEndian.PutUint32(answer[1:], version)
		o.Observe(quic(1, quicServer, quicClient, answer))
	}
	if n := len(o.quic.get(8).keys); n != len(quicVersions)-1 || o.quicHeld < n*keysHeld {
		t.Errorf("%d keys, %d bytes held", n, o.quicHeld)
	}
	// A client that always comes again is not followed for ever.
	over := 0
	for i := range 100 {
		id := binary.BigEndian.AppendUint64(nil, uint64(i))
		if f := o.Observe(quic(1, quicClient, quicServer, sealQUIC(t, 1, id, 0, 0, make([]byte, 1100)))); f.Over {
			over = i
			break
		}
	}
	if over != maxIDs || o.Stats().Malformed != 1 || o.quicHeld != 0 {
		t.Errorf("over after %d, %+v, %d bytes held", over, o.Stats(), o.quicHeld)
	}
}

// TestMailFieldsAreBounded: a field of pieces is joined once, and many encoded words cost what they are long.
func TestMailFieldsAreBounded(t *testing.T) {
	var pieces strings.Builder
	for i := range maxFieldParameters {
		fmt.Fprintf(&pieces, "; name*%d*=%s", i, strings.Repeat("%41", 35))
	}
	name := ""
	if n := allocated(func() {
		_, parameters := mimeValue("a/b" + pieces.String())
		name = parameters["name"]
	}); n > 100<<10 {
		t.Errorf("%d bytes of work for a name in pieces", n)
	}
	if name != strings.Repeat("A", maxMailList) {
		t.Errorf("%d bytes of a name", len(name))
	}
	field := bytes.Repeat([]byte("=?gbk?q?=C4=E3?= "), maxTextField/17)
	text := ""
	if n := allocated(func() { text = decodedWords(field) }); n > 1<<20 {
		t.Errorf("%d bytes of work for encoded words", n)
	}
	if text != strings.Repeat("你", maxTextField/17) && text != strings.Repeat("你", maxTextField/17)+" " {
		t.Errorf("%.60q", text)
	}
}
