package engine

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// vector is one column of a chunk as it lies in DuckDB's memory.
type vector struct {
	resultColumn
	data  unsafe.Pointer
	valid unsafe.Pointer // bit mask of 64-bit words; nil when nothing is NULL
	child unsafe.Pointer // the elements of lists
}

// chunkView is a chunk of a running cursor: up to 2,048 rows in columns.
type chunkView struct {
	n       int
	vectors []vector
}

func readVector(v duckdb.Vector, col resultColumn) vector {
	out := vector{col, duckdb.VectorGetData(v), duckdb.VectorGetValidity(v), nil}
	if col.typ == duckdb.TypeList {
		out.child = duckdb.VectorGetData(duckdb.ListVectorGetChild(v))
	}
	return out
}

func (v *vector) null(row int) bool {
	if v.typ == duckdb.TypeSQLNull {
		return true
	}
	if v.valid == nil {
		return false
	}
	word := *(*uint64)(unsafe.Add(v.valid, row/64*8))
	return word>>(row%64)&1 == 0
}

func at[T any](v *vector, row int) T {
	var t T
	return *(*T)(unsafe.Add(v.data, uintptr(row)*unsafe.Sizeof(t)))
}

// bytes returns a VARCHAR's or BLOB's bytes in DuckDB's memory. A string of up
// to 12 bytes lies inside its 16-byte entry, a longer one behind a pointer.
func (v *vector) bytes(row int) []byte {
	p := unsafe.Add(v.data, row*16)
	n := *(*uint32)(p)
	if n <= 12 {
		return unsafe.Slice((*byte)(unsafe.Add(p, 4)), n)
	}
	return unsafe.Slice(*(**byte)(unsafe.Add(p, 8)), n)
}

// list returns a list of INTEGER in DuckDB's memory; its elements must not be
// NULL.
func (v *vector) list(row int) []int32 {
	entry := at[struct{ offset, length uint64 }](v, row)
	if entry.length == 0 {
		return nil
	}
	return unsafe.Slice((*int32)(unsafe.Add(v.child, entry.offset*4)), entry.length)
}

// appendRaw appends what tells an entry from others of its column: its bytes,
// behind their number.
func (v *vector) appendRaw(dst []byte, row int) []byte {
	if v.null(row) {
		return append(dst, 0xff)
	}
	switch v.typ {
	case duckdb.TypeVarchar, duckdb.TypeBlob:
		b := v.bytes(row)
		dst = binary.LittleEndian.AppendUint32(append(dst, 1), uint32(len(b)))
		return append(dst, b...)
	case duckdb.TypeUBigInt, duckdb.TypeDouble:
		return binary.LittleEndian.AppendUint64(append(dst, 1), v.uint64(row))
	case duckdb.TypeFloat:
		return binary.LittleEndian.AppendUint32(append(dst, 1), at[uint32](v, row))
	}
	if v.store == duckdb.TypeHugeInt {
		w := at[[2]uint64](v, row)
		dst = binary.LittleEndian.AppendUint64(append(dst, 1), w[0])
		return binary.LittleEndian.AppendUint64(dst, w[1])
	}
	return binary.LittleEndian.AppendUint64(append(dst, 1), uint64(v.int64(row)))
}

func (v *vector) uint64(row int) uint64 { return at[uint64](v, row) }

// int64 reads any integer type that fits.
func (v *vector) int64(row int) int64 {
	switch v.store {
	case duckdb.TypeBoolean, duckdb.TypeUTinyInt:
		return int64(at[uint8](v, row))
	case duckdb.TypeTinyInt:
		return int64(at[int8](v, row))
	case duckdb.TypeSmallInt:
		return int64(at[int16](v, row))
	case duckdb.TypeUSmallInt:
		return int64(at[uint16](v, row))
	case duckdb.TypeInteger, duckdb.TypeDate:
		return int64(at[int32](v, row))
	case duckdb.TypeUInteger:
		return int64(at[uint32](v, row))
	case duckdb.TypeHugeInt:
		return int64(at[[2]uint64](v, row)[0])
	}
	return at[int64](v, row)
}

// float64 reads DOUBLE or FLOAT.
func (v *vector) float64(row int) float64 {
	if v.typ == duckdb.TypeFloat {
		return float64(at[float32](v, row))
	}
	return at[float64](v, row)
}

// hugeint reads a HUGEINT as the decimal digits of its value.
func (v *vector) hugeint(row int) *big.Int {
	w := at[[2]uint64](v, row) // low, high
	b := big.NewInt(int64(w[1]))
	b.Lsh(b, 64)
	return b.Or(b, new(big.Int).SetUint64(w[0]))
}

// unscaled reads the integer behind a DECIMAL.
func (v *vector) unscaled(row int) (small int64, large *big.Int) {
	if v.store != duckdb.TypeHugeInt {
		return v.int64(row), nil
	}
	w := at[[2]uint64](v, row)
	if int64(w[1]) == int64(w[0])>>63 {
		return int64(w[0]), nil
	}
	return 0, v.hugeint(row)
}

// appendNumber appends the value's MySQL text. Doubles are written as the
// shortest text that reads back to the same number.
func (v *vector) appendNumber(dst []byte, row int) []byte {
	switch v.typ {
	case duckdb.TypeDouble, duckdb.TypeFloat:
		f := v.float64(row)
		if a := math.Abs(f); a != 0 && (a < 1e-15 || a >= 1e15) {
			// MySQL writes 1e20, Go 1e+20.
			var buf [32]byte
			for _, c := range strconv.AppendFloat(buf[:0], f, 'g', -1, 64) {
				if c != '+' {
					dst = append(dst, c)
				}
			}
			return dst
		}
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	case duckdb.TypeUBigInt:
		return strconv.AppendUint(dst, v.uint64(row), 10)
	case duckdb.TypeHugeInt, duckdb.TypeDecimal:
		small, large := v.unscaled(row)
		if large != nil {
			return appendScaled(dst, large.String(), v.scale)
		}
		if v.scale == 0 {
			return strconv.AppendInt(dst, small, 10)
		}
		var buf [24]byte
		return appendScaled(dst, string(strconv.AppendInt(buf[:0], small, 10)), v.scale)
	}
	return strconv.AppendInt(dst, v.int64(row), 10)
}

// appendScaled puts the decimal point before the last scale digits.
func appendScaled(dst []byte, digits string, scale int) []byte {
	if scale == 0 {
		return append(dst, digits...)
	}
	if digits[0] == '-' {
		dst, digits = append(dst, '-'), digits[1:]
	}
	for len(digits) <= scale {
		if len(digits) == scale {
			dst = append(dst, '0', '.')
			return append(dst, digits...)
		}
		digits = "0" + digits
	}
	dst = append(dst, digits[:len(digits)-scale]...)
	dst = append(dst, '.')
	return append(dst, digits[len(digits)-scale:]...)
}

// vectorWriter fills one column of a chunk DuckDB asked for. The zero value
// belongs to a column nobody reads and swallows what it is given.
type vectorWriter struct {
	vec   duckdb.Vector
	data  unsafe.Pointer
	valid unsafe.Pointer
}

func writeVector(v duckdb.Vector) vectorWriter {
	return vectorWriter{vec: v, data: duckdb.VectorGetData(v)}
}

// wanted tells whether somebody reads the column.
func (w *vectorWriter) wanted() bool { return w.data != nil }

func put[T any](w *vectorWriter, row int, v T) {
	if w.data != nil {
		*(*T)(unsafe.Add(w.data, uintptr(row)*unsafe.Sizeof(v))) = v
	}
}

func (w *vectorWriter) setNull(row int) {
	if w.data == nil {
		return
	}
	if w.valid == nil {
		duckdb.VectorEnsureValidityWritable(w.vec)
		w.valid = duckdb.VectorGetValidity(w.vec)
	}
	word := (*uint64)(unsafe.Add(w.valid, row/64*8))
	*word &^= 1 << (row % 64)
}

// setBytes stores text or a blob. Text must be valid UTF-8.
func (w *vectorWriter) setBytes(row int, b []byte) {
	if w.data == nil {
		return
	}
	if len(b) <= 12 {
		// Short strings lie in the entry itself: no call into C.
		p := (*[16]byte)(unsafe.Add(w.data, row*16))
		*p = [16]byte{}
		*(*uint32)(unsafe.Pointer(p)) = uint32(len(b))
		copy(p[4:], b)
		return
	}
	duckdb.UnsafeVectorAssignStringElementLen(w.vec, duckdb.IdxT(row), b)
}

func (w *vectorWriter) setText(row int, s string) {
	w.setBytes(row, unsafe.Slice(unsafe.StringData(s), len(s)))
}

// setTextOrNull stores NULL for the empty string.
func (w *vectorWriter) setTextOrNull(row int, s string) {
	if s == "" {
		w.setNull(row)
		return
	}
	w.setText(row, s)
}
