package rows

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/wiresql/wiresql/tables"
)

// shape is how values of a column rest in the row struct.
type shape uint8

const (
	shape64    shape = iota // int64, uint64 and what is made of them
	shape32                 // int32
	shapeBool               // bool
	shapeText               // string: "" is NULL
	shapeBytes              // []byte: nil is NULL
	shapeList               // []int32: nil is NULL
)

// column is one Parquet column and where its value lies in the row struct.
// The structs are walked by offset, column by column: reflection on every
// value would cost more than the compression.
type column struct {
	name  string
	shape shape
	at    uintptr
	// set is where an Opt's Set lies; none when the column is required or
	// its shape has a NULL of its own.
	set      uintptr
	optional bool
	unsigned bool
	node     parquet.Node
}

const none = ^uintptr(0)

// codec is the plan of one row struct, made once.
type codec struct {
	family  *tables.Family
	size    uintptr // of the struct
	columns []column
	schema  *parquet.Schema
	// bloomBits is the bloom filters' cost a distinct value and row group: 10 give 1 %
	// false positives, 8 give 3 %.
	bloomBits uint
	pageRows  int // rows of a page, but of blobs
	// Where the row's time, and the end of it, lie; none without.
	start, end column

	blocks sync.Pool

	once   sync.Once // of template
	meta   *format.FileMetaData
	failed error
}

var codecs sync.Map // reflect.Type → *codec

// blocks are kept for the next file: those of flows take 50 MB.
func (c *codec) newBlock() *block {
	if b, ok := c.blocks.Get().(*block); ok {
		return b
	}
	return newBlock(c, GroupRows)
}

func (c *codec) freeBlock(b *block) {
	if b != nil {
		b.reset()
		c.blocks.Put(b)
	}
}

// codecOf returns the plan of T, the rows of a family; codecFor that of a type.
func codecOf[T any]() (*codec, error) { return codecFor(reflect.TypeFor[T]()) }

func codecFor(t reflect.Type) (*codec, error) {
	if c, ok := codecs.Load(t); ok {
		return c.(*codec), nil
	}
	f := tables.FamilyOf(t)
	if f == nil {
		return nil, fmt.Errorf("%s is no row of the archive", t)
	}
	c := &codec{family: f, size: t.Size()}
	c.start.at, c.end.at = none, none
	for i := range t.NumField() {
		field := t.Field(i)
		if err := c.add(field.Tag.Get("col"), field.Type, field.Offset); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t, field.Name, err)
		}
	}
	fields := make([]parquet.Field, 0, len(c.columns))
	for _, col := range c.columns {
		fields = append(fields, namedNode{col.node, col.name})
	}
	c.schema = parquet.NewSchema(f.Name, orderedGroup{fields: fields})
	c.bloomBits, c.pageRows = 10, pageRows
	if f.Sparse {
		c.bloomBits, c.pageRows = 8, GroupRows
	}
	got, _ := codecs.LoadOrStore(t, c)
	return got.(*codec), nil
}

// TimeOf returns what reads the time of a row of T, by which the rows of a file
// are ordered; T's family has one.
func TimeOf[T any]() func(*T) tables.Time {
	c, err := codecOf[T]()
	if err == nil && (c.start.at == none || c.start.optional) {
		err = fmt.Errorf("%s have no time", c.family.Name)
	}
	if err != nil {
		panic(err)
	}
	return func(row *T) tables.Time { return *(*tables.Time)(unsafe.Add(unsafe.Pointer(row), c.start.at)) }
}

// has tells whether the family has a column today.
func (c *codec) has(name string) bool {
	return slices.ContainsFunc(c.columns, func(col column) bool { return col.name == name })
}

// add appends the columns of a field.
func (c *codec) add(name string, t reflect.Type, at uintptr) error {
	stored, optional := tables.StoredOf(t)
	set := none
	if optional {
		v, _ := t.FieldByName("V")
		s, _ := t.FieldByName("Set")
		set = at + s.Offset
		at += v.Offset
	}
	var col column
	switch stored {
	case tables.StoredAddr:
		for i, half := range stored.Columns(name) {
			col := leaf(half.Name, shape64, parquet.Uint(64), at+uintptr(8*i), set)
			col.unsigned = true
			c.columns = append(c.columns, col)
		}
		return nil
	case tables.StoredTime:
		col = leaf(name, shape64, parquet.TimestampAdjusted(parquet.Microsecond, false), at, set)
		switch name {
		case "ts":
			c.start = col
		case "ts_end":
			c.end = col
		}
	case tables.StoredInt64:
		col = leaf(name, shape64, parquet.Leaf(parquet.Int64Type), at, set)
	case tables.StoredUint64:
		col = leaf(name, shape64, parquet.Uint(64), at, set)
	case tables.StoredInt32:
		col = leaf(name, shape32, parquet.Leaf(parquet.Int32Type), at, set)
	case tables.StoredBool:
		col = leaf(name, shapeBool, parquet.Leaf(parquet.BooleanType), at, set)
	case tables.StoredText:
		col = leaf(name, shapeText, parquet.String(), at, set)
	case tables.StoredBytes:
		col = leaf(name, shapeBytes, parquet.Leaf(parquet.ByteArrayType), at, set)
	case tables.StoredList:
		col = leaf(name, shapeList, parquet.Leaf(parquet.Int32Type), at, set)
	default:
		return fmt.Errorf("type %s can't be stored", t)
	}
	col.unsigned = stored == tables.StoredUint64
	c.columns = append(c.columns, col)
	return nil
}

// leaf makes a column.
func leaf(name string, s shape, n parquet.Node, at, set uintptr) column {
	c := column{name: name, shape: s, at: at, set: set, node: n}
	if s == shapeList {
		c.node = parquet.List(c.node)
	}
	if set != none || s == shapeText || s == shapeBytes || s == shapeList {
		c.optional = true
		c.node = parquet.Optional(c.node)
	}
	return c
}

// store puts one value that was looked up, not a list, into a row.
func (c *column) store(row unsafe.Pointer, number int64, b []byte, names *interned) {
	p := unsafe.Add(row, c.at)
	switch c.shape {
	case shape64:
		*(*int64)(p) = number
	case shape32:
		*(*int32)(p) = int32(number)
	case shapeBool:
		*(*bool)(p) = number != 0
	case shapeText:
		*(*string)(p) = names.text(b)
	case shapeBytes:
		*(*[]byte)(p) = append(make([]byte, 0, len(b)), b...)
	}
	if c.set != none {
		*(*bool)(unsafe.Add(row, c.set)) = true
	}
}

// interned keeps the texts that come again and again, which is most of them:
// an allocation for each would cost more than all else of reading a row.
type interned struct {
	last  string
	texts map[string]string
}

// maxInterned bounds the texts kept of one column.
const maxInterned = 4096

func (t *interned) text(b []byte) string {
	if string(b) == t.last {
		return t.last
	}
	s, ok := t.texts[string(b)]
	if !ok {
		s = string(b)
		if t.texts == nil || len(t.texts) >= maxInterned {
			t.texts = map[string]string{}
		}
		t.texts[s] = s
	}
	t.last = s
	return s
}

// orderedGroup is a root whose columns keep the order of the struct;
// parquet.Group sorts them by name.
type orderedGroup struct {
	parquet.Group
	fields []parquet.Field
}

func (g orderedGroup) Fields() []parquet.Field { return g.fields }

// namedNode is a column in an orderedGroup.
type namedNode struct {
	parquet.Node
	name string
}

func (n namedNode) Name() string                           { return n.name }
func (n namedNode) Value(base reflect.Value) reflect.Value { return base.FieldByName(n.name) }
