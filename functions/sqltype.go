package functions

import (
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/sqltypes"
	"github.com/dolthub/vitess/go/vt/proto/query"
)

// spanType is TIME(n): go-mysql-server's has no digits.
type spanType struct {
	timespan
	digits int
}

type timespan = types.TimespanType_

// Decimals is the number of digits of the seconds, as the wire tells it.
func (t spanType) Decimals() int { return t.digits }

// doubleType is DOUBLE with so many digits shown.
type doubleType struct {
	types.NumberTypeImpl_
	digits int
}

// Decimals is the number of digits behind the point, as the wire tells it.
func (t doubleType) Decimals() int { return t.digits }

// maxVarchar is the most characters of utf8mb4 a VARCHAR can have; clients see
// LONGTEXT above.
const maxVarchar = 16383

// SQLType is a type as go-mysql-server, and so the wire, describes it.
func SQLType(t Type) sql.Type {
	switch t.Kind {
	case Bool:
		if t.Bits == 8 {
			return types.Boolean
		}
		return types.Int64
	case Integer:
		switch t.Bits {
		case 8:
			return types.Int8
		case 16:
			return types.Int16
		case 24:
			return types.Int24
		case 32:
			return types.Int32
		}
		return types.Int64
	case Unsigned:
		return types.Uint64
	case Decimal:
		scale := min(max(t.Scale, 0), 30)
		return types.MustCreateDecimalType(uint8(min(max(t.Precision, scale, 1), 65)), uint8(scale))
	case Double:
		if t.Scale > 0 {
			return doubleType{types.Float64.(types.NumberTypeImpl_), t.Scale}
		}
		return types.Float64
	case Bytes:
		return types.LongBlob
	case Time:
		return types.MustCreateDatetimeType(query.Type_DATETIME, t.Scale)
	case Date:
		return types.Date
	case Clock:
		return spanType{types.TimespanType_{}, t.Scale}
	case JSON:
		return types.JSON
	case Address:
		return AddrType
	case ID:
		return IDType
	case Community:
		return CommunityIDType
	case MAC:
		return MACType
	case Null:
		return types.Null
	}
	if t.Length > 0 && t.Length <= maxVarchar {
		collation := sql.CollationID(t.Collation)
		if collation == 0 {
			collation = sql.CollationID(Bin)
		}
		if s, err := types.CreateString(sqltypes.VarChar, int64(t.Length), collation); err == nil {
			return s
		}
	}
	return types.LongText
}
