package functions

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/wiresql/wiresql/tables"
)

// The types of values that are text to clients and numbers to the engine. In
// go-mysql-server such a value is a Go string in canonical form, so that
// equality, grouping and hashing are those of text; Compare orders addresses
// by number, which is what ORDER BY, MIN, MAX, BETWEEN and < use. A literal
// takes part in that once it has the same type: the engine converts literals
// beside such a column before anything runs.
var (
	AddrType        sql.Type = newScalarType(tables.Address, 45)
	IDType          sql.Type = newScalarType(tables.Identifier, tables.IDLength)
	CommunityIDType sql.Type = newScalarType(tables.CommunityID, 30)
	MACType         sql.Type = newScalarType(tables.MAC, 17)
)

// scalarType shows a number as VARCHAR. It is comparable with ==.
//
// It is an ExtendedType because types.IsText recognises only the concrete
// StringType and extended types: without it COALESCE(client_host, client_ip),
// GREATEST or CASE would refuse it or turn it into a number.
type scalarType struct {
	types.StringType
	kind tables.Kind
}

var (
	_ sql.StringType        = scalarType{}
	_ sql.TypeWithCollation = scalarType{}
	_ types.ExtendedType    = scalarType{}
)

func newScalarType(kind tables.Kind, length int64) scalarType {
	return scalarType{varchar(length).(types.StringType), kind}
}

func varchar(length int64) sql.StringType {
	return types.MustCreateString(sqltypes.VarChar, length, sql.Collation_utf8mb4_0900_bin)
}

// TypeOf gives the MySQL type of a column as clients see it.
func TypeOf(c tables.Column) sql.Type {
	switch c.Kind {
	case tables.Timestamp:
		return types.DatetimeMaxPrecision
	case tables.Double:
		return types.Float64
	case tables.Int:
		return types.Int32
	case tables.BigInt:
		return types.Int64
	case tables.Bool:
		return types.Boolean
	case tables.Address:
		return AddrType
	case tables.Identifier:
		return IDType
	case tables.CommunityID:
		return CommunityIDType
	case tables.MAC:
		return MACType
	case tables.Bytes:
		return types.LongBlob
	}
	size := int64(c.Size)
	if size == 0 {
		size = 255
	}
	return varchar(size)
}

// KindOf tells which of the types above t is; ok is false for any other type.
func KindOf(t sql.Type) (kind tables.Kind, ok bool) {
	s, ok := t.(scalarType)
	return s.kind, ok
}

// Canonical reads text typed for a column of one of the kinds above and
// returns the only spelling such a column can hold. The error says what the
// text seems to be and how to write what was meant; it does not name the
// column, which the caller knows.
func Canonical(kind tables.Kind, s string) (string, error) {
	switch kind {
	case tables.Address:
		if a, err := tables.ParseAddr(s); err == nil {
			return a.String(), nil
		}
		return "", notAddress(s)
	case tables.Identifier:
		id, err := tables.ParseID(s)
		if err != nil {
			return "", err
		}
		return id.String(), nil
	case tables.CommunityID:
		// Version, colon, base 64 of a SHA-1.
		b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "1:"))
		if err != nil || len(b) != 20 || !strings.HasPrefix(s, "1:") {
			return "", fmt.Errorf("%q is not a community id: write it as '1:' and 28 characters of base 64", s)
		}
		return s, nil
	case tables.MAC:
		m, err := net.ParseMAC(s)
		if err != nil || len(m) != 6 {
			return "", fmt.Errorf("%q is not a MAC address: write it as '00:11:22:33:44:55'", s)
		}
		return m.String(), nil
	}
	return s, nil
}

// notAddress explains why s is no address. Networks and names are what people
// type where an address belongs; either would otherwise match no row.
func notAddress(s string) error {
	_, err := netip.ParsePrefix(s)
	switch {
	case err == nil:
		return fmt.Errorf("%q is a network, not an address: use ip_in(address, %s)", s, Quote(s))
	case strings.ContainsFunc(s, func(r rune) bool { return r >= 'g' && r <= 'z' || r >= 'G' && r <= 'Z' }):
		return fmt.Errorf("%q is a name, not an address: compare it with a host or server_name column", s)
	}
	return fmt.Errorf("%q is not an IP address", s)
}

// quote writes s as an SQL string literal.
// Quote is a text as a literal of DuckDB.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// text returns the canonical text of a value of this type; nil stays nil.
func (t scalarType) text(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return Canonical(t.kind, v)
	case []byte:
		return Canonical(t.kind, string(v))
	case tables.Addr:
		return v.String(), nil
	case tables.ID:
		return v.String(), nil
	}
	return nil, fmt.Errorf("%v is not text", v)
}

// Convert returns the canonical text.
func (t scalarType) Convert(_ context.Context, v any) (any, sql.ConvertInRange, error) {
	s, err := t.text(v)
	return s, sql.InRange, err
}

// Compare orders addresses by number. Canonical ids and MAC addresses have a
// fixed width, so that text order is numeric order.
func (t scalarType) Compare(_ context.Context, a, b any) (int, error) {
	if hasNulls, order := types.CompareNulls(a, b); hasNulls {
		return order, nil
	}
	as, err := t.text(a)
	if err != nil {
		return 0, err
	}
	bs, err := t.text(b)
	if err != nil {
		return 0, err
	}
	if t.kind != tables.Address || as == bs {
		return strings.Compare(as.(string), bs.(string)), nil
	}
	x, err := tables.ParseAddr(as.(string))
	if err != nil {
		return 0, err
	}
	y, err := tables.ParseAddr(bs.(string))
	if err != nil {
		return 0, err
	}
	return x.Compare(y), nil
}

// Equals tells whether the types are the same one.
func (t scalarType) Equals(other sql.Type) bool { return sql.Type(t) == other }

// Promote keeps the type: IN compares in the promoted type.
func (t scalarType) Promote() sql.Type { return t }

// WithNewCollation keeps the type: its text is ASCII of one spelling.
func (t scalarType) WithNewCollation(sql.CollationID) (sql.Type, error) { return t, nil }

// SerializedCompare compares canonical texts.
func (t scalarType) SerializedCompare(ctx context.Context, a, b []byte) (int, error) {
	return t.Compare(ctx, string(a), string(b))
}

// SerializeValue returns the canonical text.
func (t scalarType) SerializeValue(_ context.Context, v any) ([]byte, error) {
	s, err := t.text(v)
	if s == nil || err != nil {
		return nil, err
	}
	return []byte(s.(string)), nil
}

// DeserializeValue reads what SerializeValue wrote.
func (t scalarType) DeserializeValue(_ context.Context, b []byte) (any, error) {
	if b == nil {
		return nil, nil
	}
	return t.text(b)
}

// FormatValue returns the text as clients see it.
func (t scalarType) FormatValue(v any) (string, error) {
	s, err := t.text(v)
	if s == nil || err != nil {
		return "", err
	}
	return s.(string), nil
}

// MaxSerializedWidth says that values are short.
func (t scalarType) MaxSerializedWidth() types.ExtendedTypeSerializedWidth {
	return types.ExtendedTypeSerializedWidth_64K
}

// ConvertToType converts a value of another extended type by its text.
func (t scalarType) ConvertToType(_ *sql.Context, from types.ExtendedType, v any) (any, error) {
	s, err := from.FormatValue(v)
	if err != nil {
		return nil, err
	}
	return t.text(s)
}
