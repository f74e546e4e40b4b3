package sqlserver

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"
)

// destination takes a statement's result: its columns and then its rows, or
// how many rows it changed.
type destination interface {
	// binary tells which form rows are wanted in.
	binary() bool
	columns([]*querypb.Field) error
	// row takes a row, which is overwritten after it.
	row(*rowBuffer) error
	affected(rows, key uint64)
}

// appendField describes a column.
func appendField(b []byte, f *querypb.Field) []byte {
	typ, flags := sqltypes.TypeToMySQL(f.Type)
	for _, text := range []string{"def", f.Database, f.Table, f.OrgTable, f.Name, f.OrgName} {
		b = appendText(b, text)
	}
	b = append(b, 12)
	b = binary.LittleEndian.AppendUint16(b, uint16(f.Charset))
	b = binary.LittleEndian.AppendUint32(b, f.ColumnLength)
	b = append(b, byte(typ))
	b = binary.LittleEndian.AppendUint16(b, uint16(f.Flags)|uint16(flags))
	return append(b, byte(f.Decimals), 0, 0)
}

// rowBuffer writes rows of text, or of the binary protocol.
type rowBuffer struct {
	binary bool
	fields []*querypb.Field
	buf    []byte
	text   []byte // a cell whose binary form is made from it
}

// begin starts a row.
func (r *rowBuffer) begin() {
	if cap(r.buf) > keepBytes {
		r.buf = nil
	}
	r.buf = r.buf[:0]
	if r.binary {
		r.buf = append(append(r.buf, 0), make([]byte, (len(r.fields)+7+2)/8)...)
	}
}

// cell appends a cell that fill writes as text.
func (r *rowBuffer) cell(col int, fill func([]byte) ([]byte, bool)) (err error) {
	if r.binary {
		if cap(r.text) > keepBytes {
			r.text = nil
		}
		var notNull bool
		if r.text, notNull = fill(r.text[:0]); !notNull {
			r.buf[1+(col+2)/8] |= 1 << ((col + 2) % 8)
			return nil
		}
		r.buf, err = appendBinary(r.buf, r.fields[col].Type, r.text)
		return err
	}
	at := len(r.buf)
	r.buf = append(r.buf, 0) // the length of short text
	var notNull bool
	if r.buf, notNull = fill(r.buf); !notNull {
		r.buf = append(r.buf[:at], 0xfb)
		return nil
	}
	if n := len(r.buf) - at - 1; n < 0xfb {
		r.buf[at] = byte(n)
	} else {
		var length [9]byte
		r.buf = slices.Replace(r.buf, at, at+1, appendLength(length[:0], uint64(n))...)
	}
	return nil
}

// appendBinary writes text as the binary protocol has values of a type.
func appendBinary(b []byte, typ querypb.Type, text []byte) ([]byte, error) {
	var err error
	size := 0
	switch typ {
	case sqltypes.Int8, sqltypes.Uint8:
		size = 1
	case sqltypes.Int16, sqltypes.Uint16, sqltypes.Year:
		size = 2
	case sqltypes.Int24, sqltypes.Uint24, sqltypes.Int32, sqltypes.Uint32:
		size = 4
	case sqltypes.Int64, sqltypes.Uint64:
		size = 8
	case sqltypes.Float32:
		var v float64
		v, err = strconv.ParseFloat(string(text), 32)
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
	case sqltypes.Float64:
		var v float64
		v, err = strconv.ParseFloat(string(text), 64)
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	case sqltypes.Date, sqltypes.Datetime, sqltypes.Timestamp:
		b, err = appendDate(b, text)
	case sqltypes.Time:
		b, err = appendClock(b, text)
	default:
		return appendText(b, text), nil
	}
	if size > 0 {
		var v uint64
		if len(text) > 0 && text[0] == '-' {
			var signed int64
			signed, err = strconv.ParseInt(string(text), 10, 8*size)
			v = uint64(signed)
		} else {
			v, err = strconv.ParseUint(string(text), 10, 8*size)
		}
		for range size {
			b = append(b, byte(v))
			v >>= 8
		}
	}
	if err != nil {
		return b, fmt.Errorf("a value of type %v is %.40q", typ, text)
	}
	return b, nil
}

// appendDate writes "2006-01-02[ 15:04:05[.ffffff]]" in the fewest bytes.
func appendDate(b, text []byte) ([]byte, error) {
	var p [7]uint64 // year … second, microsecond
	rest, ok := text, true
	for i, end := range []byte{'-', '-', ' ', ':', ':', '.', 0} {
		if len(rest) == 0 {
			ok = ok && i >= 3
			break
		}
		var word []byte
		word, rest = cut(rest, end)
		p[i], ok = digits(word, i == 6, ok)
	}
	if !ok || len(rest) > 0 {
		return b, strconv.ErrSyntax
	}
	size := 0
	switch {
	case p[6] != 0:
		size = 11
	case p[3]|p[4]|p[5] != 0:
		size = 7
	case p[0]|p[1]|p[2] != 0:
		size = 4
	}
	whole := [12]byte{byte(size), byte(p[0]), byte(p[0] >> 8), byte(p[1]), byte(p[2]), byte(p[3]), byte(p[4]), byte(p[5])}
	binary.LittleEndian.PutUint32(whole[8:], uint32(p[6]))
	return append(b, whole[:1+size]...), nil
}

// appendClock writes "[-]838:59:59[.ffffff]" in the fewest bytes.
func appendClock(b, text []byte) ([]byte, error) {
	rest, ok := text, true
	negative := len(rest) > 0 && rest[0] == '-'
	if negative {
		rest = rest[1:]
	}
	var p [4]uint64
	for i, end := range []byte{':', ':', '.', 0} {
		if len(rest) == 0 {
			ok = ok && i == 3
			break
		}
		var word []byte
		word, rest = cut(rest, end)
		p[i], ok = digits(word, i == 3, ok)
	}
	if !ok || len(rest) > 0 {
		return b, strconv.ErrSyntax
	}
	size := 0
	switch {
	case p[3] != 0:
		size = 12
	case p[0]|p[1]|p[2] != 0:
		size = 8
	}
	whole := [13]byte{byte(size), 0, 0, 0, 0, 0, byte(p[0] % 24), byte(p[1]), byte(p[2])}
	if negative {
		whole[1] = 1
	}
	binary.LittleEndian.PutUint32(whole[2:], uint32(p[0]/24))
	binary.LittleEndian.PutUint32(whole[9:], uint32(p[3]))
	return append(b, whole[:1+size]...), nil
}

// cut takes a word up to a byte.
func cut(text []byte, end byte) (word, rest []byte) {
	if i := slices.Index(text, end); i >= 0 {
		return text[:i], text[i+1:]
	}
	return text, nil
}

// digits reads a number, as a fraction of a second in µs.
func digits(word []byte, fraction, before bool) (n uint64, ok bool) {
	if len(word) == 0 || len(word) > 6 {
		return 0, false
	}
	for _, d := range word {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + uint64(d-'0')
	}
	for i := len(word); fraction && i < 6; i++ {
		n *= 10
	}
	return n, before
}
