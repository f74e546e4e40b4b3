package functions

import (
	"fmt"
	"strconv"

	"vitess.io/vitess/go/mysql/collations"
)

// Kind is how a value is held while a statement runs: which DuckDB type it
// has, and so which operations mean the same there as in MySQL.
type Kind uint8

// The kinds of values. Of two numeric kinds the greater one holds both, but
// for Integer and Unsigned.
const (
	Null      Kind = iota // the literal NULL
	Bool                  // BOOLEAN; 0 and 1 in MySQL
	Integer               // BIGINT
	Unsigned              // BIGINT UNSIGNED: UBIGINT
	Decimal               // DECIMAL(p,s); at most 38 digits in DuckDB
	Double                // DOUBLE
	Text                  // VARCHAR, UTF-8
	Bytes                 // BLOB
	Time                  // DATETIME: TIMESTAMP, µs, UTC
	Date                  // DATE
	Clock                 // TIME, a span of up to ±838:59:59.999999: BIGINT µs
	JSON                  // JSON: VARCHAR, normalised text
	Address               // two UBIGINT; VARCHAR(45) in MySQL
	ID                    // UBIGINT, shown as 13 characters
	Community             // cid as UBIGINT and text (both carried)
	MAC                   // BIGINT, shown as aa:bb:cc:dd:ee:ff
)

// Numeric tells whether values of the kind take part in arithmetic as they are.
func (k Kind) Numeric() bool { return k >= Bool && k <= Double }

// Temporal tells whether values are points or spans of time.
func (k Kind) Temporal() bool { return k == Time || k == Date || k == Clock }

// Textual tells whether clients see the value as text.
func (k Kind) Textual() bool { return k == Text || k == JSON || k >= Address }

// String names the kind in reasons of refusals.
func (k Kind) String() string {
	names := [...]string{"NULL", "a truth value", "an integer", "an unsigned integer", "a decimal", "a double", "text", "bytes",
		"a time", "a date", "a time of day", "JSON", "an address", "an id", "a community id", "a MAC address"}
	if int(k) < len(names) {
		return names[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// Collations of text. Bin is that of stored text, NoCase that of names and of
// columns with few values, Default that of literals until SET NAMES … COLLATE
// says otherwise.
const (
	Bin     collations.ID = 309 // utf8mb4_0900_bin
	NoCase  collations.ID = 305 // utf8mb4_0900_as_ci
	Default collations.ID = 255 // utf8mb4_0900_ai_ci
)

// Type is the MySQL type of an expression and how its values are held.
type Type struct {
	Kind Kind
	// Bits is the width of an Integer or Unsigned: 8, 16, 24, 32 or 64; 0
	// means 64.
	Bits int
	// Precision is the number of digits of a Decimal, 1 to 65.
	Precision int
	// Scale is the number of digits behind the point: of a Decimal (0 to 30),
	// of the seconds of a Time or Clock (0 to 6). A Double is shown with so many
	// if there are any, such as one that was rounded to them, and else with as
	// many as tell it from others.
	Scale int
	// Length is the most characters a Text, or bytes a Bytes, can have; 0
	// means unknown, which clients see as LONGTEXT and LONGBLOB.
	Length int
	// Collation of a Text. Zero stands for Bin.
	Collation collations.ID
	// Coercibility says whose collation wins in a comparison: the lower one's
	// (MySQL manual 12.8.4: 0 for COLLATE, 2 for a column, 4 for a literal).
	Coercibility collations.Coercibility
	// Instant tells that a Time is a point of time, as in MySQL's TIMESTAMP:
	// UTC, which the session's zone shows otherwise.
	Instant bool
	// Nullable tells whether a value may be NULL.
	Nullable bool
}

// String writes the type as a CREATE TABLE does.
func (t Type) String() string {
	switch t.Kind {
	case Bool:
		return "tinyint(1)"
	case Integer, Unsigned:
		s := map[int]string{8: "tinyint", 16: "smallint", 24: "mediumint", 32: "int"}[t.Bits]
		if s == "" {
			s = "bigint"
		}
		if t.Kind == Unsigned {
			s += " unsigned"
		}
		return s
	case Decimal:
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	case Double:
		return "double"
	case Text:
		if t.Length == 0 {
			return "longtext"
		}
		return fmt.Sprintf("varchar(%d)", t.Length)
	case Bytes:
		if t.Length == 0 {
			return "longblob"
		}
		return fmt.Sprintf("varbinary(%d)", t.Length)
	case Time:
		return fmt.Sprintf("datetime(%d)", t.Scale)
	case Date:
		return "date"
	case Clock:
		return fmt.Sprintf("time(%d)", t.Scale)
	case JSON:
		return "json"
	case Address:
		return "varchar(45)"
	case ID:
		return "varchar(13)"
	case Community:
		return "varchar(30)"
	case MAC:
		return "varchar(17)"
	}
	return "null"
}
