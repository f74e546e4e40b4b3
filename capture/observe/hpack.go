package observe

import (
	"golang.org/x/net/http2/hpack"
)

// HPACK (RFC 7541) as who joins late must read it. A decoder that has missed a block knows neither
// what was in the table then nor how much of it is left, but numbers count from the newest entry: what is
// put in later is found all the same, and the rest has no name. So the table is our own, which also lasts over a
// restart; Huffman's code and the static table are those of the library.

const (
	// maxTable is how large a table may be said to be; of a larger one the oldest entries are not known.
	maxTable     = 64 << 10
	defaultTable = 4096
	// maxFields of a block are looked at, and maxFieldBytes of them.
	maxFields     = 1000
	maxFieldBytes = 256 << 10
)

// headerTable is the dynamic table of a direction.
type headerTable struct {
	Entries []headerField // the newest last
	Size    int           // by RFC 7541 section 4.1
	Max     int           // 0: the default
}

// headerField is a field of a head; one that is not known has no name.
type headerField struct{ Name, Value string }

func (f *headerField) size() int { return len(f.Name) + len(f.Value) + 32 }

// staticFields are those of RFC 7541 appendix A.
var staticFields = func() (list [62]headerField) {
	n := 0
	d := hpack.NewDecoder(defaultTable, func(f hpack.HeaderField) { list[n] = headerField{f.Name, f.Value} })
	for n = 1; n < len(list); n++ {
		if _, err := d.Write([]byte{0x80 | byte(n)}); err != nil {
			panic(err)
		}
	}
	return list
}()

// at is the field of a number.
func (t *headerTable) at(n int) headerField {
	if n < len(staticFields) {
		return staticFields[n]
	}
	if n -= len(staticFields); n < len(t.Entries) {
		return t.Entries[len(t.Entries)-1-n]
	}
	return headerField{}
}

func (t *headerTable) limit() int {
	if t.Max == 0 {
		return defaultTable
	}
	return t.Max - 1
}

// shrink evicts the oldest until there is room for n bytes more.
func (t *headerTable) shrink(n int) {
	gone := 0
	for ; gone < len(t.Entries) && t.Size+n > t.limit(); gone++ {
		t.Size -= t.Entries[gone].size()
	}
	if t.Entries = t.Entries[gone:]; len(t.Entries) == 0 {
		t.Entries, t.Size = nil, 0
	}
}

func (t *headerTable) add(f headerField) {
	n := f.size()
	if t.shrink(n); n <= t.limit() {
		t.Entries, t.Size = append(t.Entries, f), t.Size+n
	}
}

// forget is what a block that was missed does.
func (t *headerTable) forget() { t.Entries, t.Size = nil, 0 }

// block reads a block, and gives its fields to see as far as they are known; whole is false of one that breaks off.
func (t *headerTable) block(b []byte, see func(f *headerField)) (whole bool) {
	r := bytesReader{b, true}
	seen, bytes := 0, 0
	for len(r.b) > 0 {
		var f headerField
		switch first := r.b[0]; {
		case first&0x80 != 0:
			f = t.at(r.prefixed(7))
		case first&0xe0 == 0x20: // how large the table is from here
			t.Max = min(r.prefixed(5), maxTable) + 1
			t.shrink(0)
			if !r.ok {
				return false
			}
			continue
		default:
			kept, bits := first&0xc0 == 0x40, 4
			if kept {
				bits = 6
			}
			if n := r.prefixed(bits); n > 0 {
				f.Name = t.at(n).Name
			} else {
				f.Name = r.literal()
			}
			if f.Value = r.literal(); kept && r.ok {
				t.add(f)
			}
		}
		if !r.ok {
			return false
		}
		if seen, bytes = seen+1, bytes+len(f.Value); f.Name != "" && seen <= maxFields && bytes <= maxFieldBytes {
			see(&f)
		}
	}
	return true
}

// prefixed takes an integer of RFC 7541 section 5.1.
func (r *bytesReader) prefixed(bits int) int {
	mask := 1<<bits - 1
	v := int(r.number(1)) & mask
	if v < mask {
		return v
	}
	for shift := 0; shift <= 28; shift += 7 {
		c := int(r.number(1))
		if v += c & 0x7f << shift; c&0x80 == 0 {
			return v
		}
	}
	r.ok = false
	return 0
}

// literal takes a string of RFC 7541 section 5.2.
func (r *bytesReader) literal() string {
	coded := r.ok && len(r.b) > 0 && r.b[0]&0x80 != 0
	b := r.take(r.prefixed(7))
	if !coded {
		return string(b)
	}
	s, err := hpack.HuffmanDecodeToString(b)
	if err != nil {
		r.ok = false
	}
	return s
}
