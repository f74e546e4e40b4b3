package tables

import "reflect"

// What values of columns are, in one table: as clients see them, as they rest
// in row files, and as DuckDB has them.

// Stored is a type in which values rest: of a field of a row struct, of a
// Parquet column and of a column of DuckDB's.
type Stored uint8

// The stored types.
const (
	StoredNone   Stored = iota
	StoredTime          // Time: TIMESTAMP, microseconds without zone
	StoredDouble        // no row struct has one: computed
	StoredInt32         // INT32
	StoredInt64         // INT64
	StoredUint64        // uint64, ID: UINT64
	StoredBool          // BOOLEAN
	StoredText          // string: UTF8; "" is NULL
	StoredBytes         // []byte: BYTE_ARRAY; nil is NULL
	StoredList          // []int32: LIST of INT32; nil is NULL
	StoredAddr          // Addr: two UINT64, the upper and the lower half
)

// duckTypes are the names of stored types in DuckDB's SQL.
var duckTypes = [...]string{
	StoredTime: "TIMESTAMP", StoredDouble: "DOUBLE", StoredInt32: "INTEGER", StoredInt64: "BIGINT", StoredUint64: "UBIGINT",
	StoredBool: "BOOLEAN", StoredText: "VARCHAR", StoredBytes: "BLOB", StoredList: "INTEGER[]",
	StoredAddr: "UBIGINT", // each half
}

// Duck is the type's name in DuckDB's SQL.
func (s Stored) Duck() string { return duckTypes[s] }

// StoredColumn is one column of a row file or of DuckDB's.
type StoredColumn struct {
	Name string
	Type Stored // never StoredAddr
}

// Suffixes of the two columns of an address.
const (
	HighHalf = "_hi"
	LowHalf  = "_lo"
)

// Columns are those that hold values of the type under a name.
func (s Stored) Columns(name string) []StoredColumn {
	if s == StoredAddr {
		return []StoredColumn{{name + HighHalf, StoredUint64}, {name + LowHalf, StoredUint64}}
	}
	return []StoredColumn{{name, s}}
}

// StoredOf is the type of a row struct's field; optional fields are an Opt. It is
// StoredNone for what can't be stored.
func StoredOf(field reflect.Type) (s Stored, optional bool) {
	addr := reflect.TypeFor[Addr]()
	if field.Kind() == reflect.Struct && field != addr {
		v, hasV := field.FieldByName("V")
		set, hasSet := field.FieldByName("Set")
		if !hasV || !hasSet || set.Type.Kind() != reflect.Bool {
			return StoredNone, false
		}
		field, optional = v.Type, true
	}
	switch {
	case field == addr:
		return StoredAddr, optional
	case field == reflect.TypeFor[Time]():
		return StoredTime, optional
	case field.Kind() == reflect.Int64:
		return StoredInt64, optional
	case field.Kind() == reflect.Uint64:
		return StoredUint64, optional
	case field.Kind() == reflect.Int32:
		return StoredInt32, optional
	case field.Kind() == reflect.Bool:
		return StoredBool, optional
	case optional: // the others have a NULL of their own
	case field.Kind() == reflect.String:
		return StoredText, false
	case field.Kind() == reflect.Slice && field.Elem().Kind() == reflect.Uint8:
		return StoredBytes, false
	case field.Kind() == reflect.Slice && field.Elem().Kind() == reflect.Int32:
		return StoredList, false
	}
	return StoredNone, false
}

// Type is what a kind of column means.
type Type struct {
	// MySQL is the type clients see; a VARCHAR's length is the column's if it
	// has one.
	MySQL string
	// Size is the number of characters of kinds whose text has one length at
	// most.
	Size int
	// Stored is how values rest. A CommunityID is made of others: it has the
	// columns cid, which is compared, and its text.
	Stored Stored
	// Mark says in the documentation how text is read beside such a column.
	Mark string
}

var types = [...]Type{
	Timestamp:   {MySQL: "DATETIME(6)", Stored: StoredTime},
	Double:      {MySQL: "DOUBLE", Stored: StoredDouble},
	Int:         {MySQL: "INT", Stored: StoredInt32},
	BigInt:      {MySQL: "BIGINT", Stored: StoredInt64},
	Bool:        {MySQL: "TINYINT(1)", Stored: StoredBool},
	Text:        {MySQL: "VARCHAR", Stored: StoredText},
	HostName:    {MySQL: "VARCHAR", Stored: StoredText, Mark: "name"},
	Address:     {MySQL: "VARCHAR", Size: 45, Stored: StoredAddr, Mark: "address"},
	Identifier:  {MySQL: "VARCHAR", Size: 13, Stored: StoredUint64, Mark: "id"},
	CommunityID: {MySQL: "VARCHAR", Size: 30, Stored: StoredUint64},
	MAC:         {MySQL: "VARCHAR", Size: 17, Stored: StoredInt64},
	Bytes:       {MySQL: "LONGBLOB", Stored: StoredBytes},
}

// Type describes the kind.
func (k Kind) Type() Type { return types[k] }

// cidColumn is what a Community ID is compared by.
const cidColumn = "cid"

// Columns are DuckDB's columns that make up a column of the kind.
func (k Kind) Columns(name string) []StoredColumn {
	if k == CommunityID {
		return []StoredColumn{{cidColumn, StoredUint64}, {name, StoredText}}
	}
	return types[k].Stored.Columns(name)
}

// StoredColumns are the columns of a row struct's files.
func StoredColumns(row reflect.Type) (list []StoredColumn) {
	for i := range row.NumField() {
		s, _ := StoredOf(row.Field(i).Type)
		list = append(list, s.Columns(row.Field(i).Tag.Get("col"))...)
	}
	return list
}
