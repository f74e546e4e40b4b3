package tables

import (
	"fmt"
	"reflect"
	"testing"
)

// TestStoredOf is the types of fields, and what can't be one.
func TestStoredOf(t *testing.T) {
	for _, c := range []struct {
		field any
		want  string
	}{
		{Time(0), "TIMESTAMP false"}, {Some(Time(0)), "TIMESTAMP true"}, {int64(0), "BIGINT false"}, {Some(int64(0)), "BIGINT true"},
		{ID(0), "UBIGINT false"}, {Some(ID(0)), "UBIGINT true"}, {uint64(0), "UBIGINT false"}, {int32(0), "INTEGER false"},
		{true, "BOOLEAN false"}, {Some(true), "BOOLEAN true"}, {"", "VARCHAR false"}, {[]byte{}, "BLOB false"}, {[]int32{}, "INTEGER[] false"},
		{Addr{}, "UBIGINT false"}, {Some(Addr{}), "UBIGINT true"},
		{Some(""), " false"}, {1.5, " false"}, {struct{}{}, " false"}, {struct{ V int64 }{}, " false"}, {[]string{}, " false"},
	} {
		s, optional := StoredOf(reflect.TypeOf(c.field))
		if s == StoredNone {
			optional = false
		}
		if got := fmt.Sprint(s.Duck(), " ", optional); got != c.want {
			t.Errorf("%T is %s, want %s", c.field, got, c.want)
		}
	}
}

// TestKindsAreComplete: every kind has a type, and every column a length that
// its kind allows.
func TestKindsAreComplete(t *testing.T) {
	if len(types) != int(Bytes)+1 {
		t.Fatalf("%d types of %d kinds", len(types), Bytes+1)
	}
	for k := range types {
		if k := Kind(k); k.Type().MySQL == "" || k.Type().Stored == StoredNone {
			t.Errorf("kind %d has no type", k)
		}
	}
	for _, r := range Relations {
		for _, c := range r.Columns {
			free := c.Kind == Text || c.Kind == HostName
			if free != (c.Size > 0) {
				t.Errorf("%s.%s: a length of %d", r.Name, c.Name, c.Size)
			}
		}
	}
	for _, row := range []any{Flow{}, Other{}, Connection{}, DNS{}, Name{}, Import{}, Segment{}, Coverage{}, Export{}, Exporter{}, Socket{}, Carried{}} {
		for _, c := range StoredColumns(reflect.TypeOf(row)) {
			if c.Type == StoredNone || c.Type == StoredAddr {
				t.Errorf("%T.%s can't be stored", row, c.Name)
			}
		}
	}
}
