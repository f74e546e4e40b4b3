package functions

import (
	"context"
	"slices"
	"testing"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/wiresql/wiresql/tables"
)

func TestAddressesOrderByNumber(t *testing.T) {
	ctx := context.Background()
	got := []any{"10.0.0.10", "2001:db8::1", "9.255.0.1", "10.0.0.9", "::1"}
	slices.SortFunc(got, func(a, b any) int {
		n, err := AddrType.Compare(ctx, a, b)
		if err != nil {
			t.Fatal(err)
		}
		return n
	})
	if want := []any{"::1", "9.255.0.1", "10.0.0.9", "10.0.0.10", "2001:db8::1"}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func TestCanonical(t *testing.T) {
	for _, c := range []struct {
		kind     tables.Kind
		in, want string
	}{
		{tables.Address, "2001:DB8:0::1", "2001:db8::1"},
		{tables.Address, "::ffff:10.1.2.3", "10.1.2.3"},
		{tables.Address, "10.0.0.0/8", `error: "10.0.0.0/8" is a network, not an address: use ip_in(address, '10.0.0.0/8')`},
		{tables.Address, "www.example.com", `error: "www.example.com" is a name, not an address: compare it with a host or server_name column`},
		{tables.Address, "10.0.0", `error: "10.0.0" is not an IP address`},
		{tables.Identifier, "0000000000o1l", "0000000000011"},
		{tables.Identifier, "12", `error: id "12" is not 13 characters of base 32`},
		{tables.CommunityID, "1:wCb3OG7yAFWelaUydu0D+125CLM=", "1:wCb3OG7yAFWelaUydu0D+125CLM="},
		{tables.CommunityID, "wCb3OG7yAFWelaUydu0D+125CLM=", `error: "wCb3OG7yAFWelaUydu0D+125CLM=" is not a community id: write it as '1:' and 28 characters of base 64`},
		{tables.MAC, "00-1A-2B-3C-4D-5E", "00:1a:2b:3c:4d:5e"},
		{tables.MAC, "00:1a", `error: "00:1a" is not a MAC address: write it as '00:11:22:33:44:55'`},
	} {
		got, err := Canonical(c.kind, c.in)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want {
			t.Errorf("Canonical(%v, %q) = %s, want %s", c.kind, c.in, got, c.want)
		}
	}
}

// What the wire, information_schema and go-mysql-server's own functions see.
func TestTypesLookLikeVarchar(t *testing.T) {
	for _, c := range []struct {
		typ    sql.Type
		length int64
	}{{AddrType, 45}, {IDType, 13}, {CommunityIDType, 30}, {MACType, 17}} {
		s, ok := c.typ.(sql.StringType)
		if !ok || s.Length() != c.length || s.Type() != sqltypes.VarChar || s.Collation() != sql.Collation_utf8mb4_0900_bin {
			t.Errorf("%v is not VARCHAR(%d)", c.typ, c.length)
		}
		if !types.IsText(c.typ) || c.typ.Promote() != c.typ {
			t.Errorf("%v is not treated as text", c.typ)
		}
		if other := AddrType; c.typ != other && c.typ.Equals(other) {
			t.Errorf("%v equals %v", c.typ, other)
		}
	}
	if got := TypeOf(tables.Column{Kind: tables.Text, Size: 64}).String(); got != "varchar(64)" {
		t.Errorf("text column is %s", got)
	}
	if got := TypeOf(tables.Column{Kind: tables.Timestamp}).String(); got != "datetime(6)" {
		t.Errorf("time column is %s", got)
	}
}
