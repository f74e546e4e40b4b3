package output

import (
	"bytes"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// Column is a column of a Parquet file.
type Column struct {
	Name string
	kind columnKind
	// bits of an integer, digits of a decimal number, of which scale are behind the point.
	bits, digits, scale int
}

type columnKind uint8

const (
	textColumn columnKind = iota
	bytesColumn
	intColumn
	uintColumn
	doubleColumn
	decimalColumn
	timeColumn // microseconds without a zone, as DATETIME is
	dateColumn
)

var integerBits = map[string]int{"tinyint": 8, "smallint": 16, "mediumint": 32, "int": 32, "bigint": 64, "year": 16}

// ColumnOf is a column of a type of MySQL's. What has no like in Parquet is text as MySQL
// writes it: TIME, JSON, BIT.
func ColumnOf(name, mysqlType string) Column {
	c := Column{Name: name}
	word := strings.ToLower(mysqlType)
	unsigned := strings.Contains(word, "unsigned")
	if end := strings.IndexAny(word, "( "); end >= 0 {
		word = word[:end]
	}
	switch {
	case integerBits[word] > 0 && unsigned:
		c.kind, c.bits = uintColumn, integerBits[word]
	case integerBits[word] > 0:
		c.kind, c.bits = intColumn, integerBits[word]
	case word == "decimal":
		if n, _ := fmt.Sscanf(strings.ToLower(mysqlType), "decimal(%d,%d)", &c.digits, &c.scale); n == 2 {
			c.kind = decimalColumn
		}
	case word == "double", word == "float":
		c.kind = doubleColumn
	case word == "datetime", word == "timestamp":
		c.kind = timeColumn
	case word == "date":
		c.kind = dateColumn
	case strings.HasSuffix(word, "blob"), strings.HasSuffix(word, "binary"):
		c.kind = bytesColumn
	}
	return c
}

// mostDigits are what readers of Parquet take of a decimal number; MySQL's sums may have more.
const mostDigits = 38

// groupRows is how many rows stay in memory until they are written.
const groupRows = 125_000

// WriteParquet writes an answer as a Parquet file. Its columns are those of rows, in their
// order; one whose name was there before has a number behind it.
func WriteParquet(w io.Writer, columns []Column, rows Rows) (err error) {
	var fields orderedFields
	taken := map[string]bool{}
	for i := range columns {
		c := &columns[i]
		name := c.Name
		for n := 2; taken[name]; n++ {
			name = fmt.Sprint(c.Name, "_", n)
		}
		taken[name] = true
		fields = append(fields, &orderedField{parquet.Optional(c.node()), name})
	}
	out := parquet.NewWriter(w, parquet.NewSchema("answer", orderedGroup{parquet.Group{}, fields}), parquet.Compression(&zstd.Codec{}))
	batch, written := make([]parquet.Row, 0, 512), 0
	flush := func() error {
		n, err := out.WriteRows(batch)
		batch = batch[:0]
		if written += n; err == nil && written >= groupRows {
			written, err = 0, out.Flush()
		}
		return err
	}
	for {
		cells, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		row := make(parquet.Row, len(columns))
		for i := range columns {
			v, err := columns[i].value(cells[i])
			if err != nil {
				return fmt.Errorf("column %s: %w", columns[i].Name, err)
			}
			defined := 1
			if v.IsNull() {
				defined = 0
			}
			row[i] = v.Level(0, defined, i)
		}
		if batch = append(batch, row); len(batch) == cap(batch) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	return out.Close()
}

// node is the column as Parquet has it.
func (c *Column) node() parquet.Node {
	switch c.kind {
	case bytesColumn:
		return parquet.Leaf(parquet.ByteArrayType)
	case intColumn:
		return parquet.Int(c.bits)
	case uintColumn:
		return parquet.Uint(c.bits)
	case doubleColumn:
		return parquet.Leaf(parquet.DoubleType)
	case decimalColumn:
		return parquet.Decimal(c.scale, min(c.digits, mostDigits), parquet.FixedLenByteArrayType(16))
	case timeColumn:
		return parquet.TimestampAdjusted(parquet.Microsecond, false)
	case dateColumn:
		return parquet.Date()
	}
	return parquet.String()
}

// value is a cell as Parquet has it.
func (c *Column) value(cell any) (parquet.Value, error) {
	if cell == nil {
		return parquet.NullValue(), nil
	}
	if b, ok := cell.([]byte); ok {
		return parquet.ByteArrayValue(bytes.Clone(b)), nil
	}
	text := fmt.Sprint(cell)
	switch c.kind {
	case intColumn:
		n, err := strconv.ParseInt(text, 10, c.bits)
		if c.bits < 64 {
			return parquet.Int32Value(int32(n)), err
		}
		return parquet.Int64Value(n), err
	case uintColumn:
		n, err := strconv.ParseUint(text, 10, c.bits)
		if c.bits < 64 {
			return parquet.Int32Value(int32(n)), err
		}
		return parquet.Int64Value(int64(n)), err
	case doubleColumn:
		n, err := strconv.ParseFloat(text, 64)
		return parquet.DoubleValue(n), err
	case decimalColumn:
		return decimal(text, c.scale)
	case timeColumn:
		t, err := time.Parse("2006-01-02 15:04:05", text) // takes a fraction, too
		return parquet.Int64Value(t.UnixMicro()), err
	case dateColumn:
		t, err := time.Parse(time.DateOnly, text)
		return parquet.Int32Value(int32(t.Unix() / 86400)), err
	}
	return parquet.ByteArrayValue([]byte(text)), nil
}

// decimal is a number with so many digits behind the point, as sixteen bytes of two's
// complement.
func decimal(text string, scale int) (v parquet.Value, err error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > scale {
		return v, fmt.Errorf("%s has more than %d digits behind the point", text, scale)
	}
	n, ok := new(big.Int).SetString(whole+fraction+strings.Repeat("0", scale-len(fraction)), 10)
	if !ok || len(n.Text(10)) > mostDigits+1 || n.CmpAbs(new(big.Int).Exp(big.NewInt(10), big.NewInt(mostDigits), nil)) >= 0 {
		return v, fmt.Errorf("%s does not fit into %d digits: CAST it to CHAR", text, mostDigits)
	}
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	return parquet.FixedLenByteArrayValue(n.FillBytes(make([]byte, 16))), nil
}

// orderedGroup is columns in the order they have; a parquet.Group sorts them by name.
type orderedGroup struct {
	parquet.Group
	fields orderedFields
}

type orderedFields []parquet.Field

func (g orderedGroup) Fields() []parquet.Field { return g.fields }

type orderedField struct {
	parquet.Node
	name string
}

func (f *orderedField) Name() string { return f.name }

// Value is of Go values, which are not written here.
func (f *orderedField) Value(reflect.Value) reflect.Value { return reflect.Value{} }
