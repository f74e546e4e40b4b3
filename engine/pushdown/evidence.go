package pushdown

import (
	"slices"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// What is made of the packets of a group: pcap(packet_id) a capture file,
// follow(packet_id) what their ends said.

// captureOf is PCAP.
func (c *compiler) captureOf(name string, e sqlparser.Expr) (Expr, error) {
	return c.ofPackets(name, e, Type{Kind: Bytes, Nullable: true}, c.session.Capture)
}

// followOf is FOLLOW.
func (c *compiler) followOf(name string, e sqlparser.Expr) (Expr, error) {
	return c.ofPackets(name, e, Type{Kind: Text, Collation: functions.Bin, Coercibility: 2, Nullable: true}, c.session.Follow)
}

// ofPackets is an aggregate of ids: one behind another, for which the session gets
// what is made of the packets.
func (c *compiler) ofPackets(name string, e sqlparser.Expr, t Type, of func([]tables.ID) ([]byte, error)) (Expr, error) {
	args, err := c.exprs(e.(*sqlparser.FuncExpr).Exprs)
	if err != nil {
		return nil, err
	}
	wrong := len(args) != 1 || args[0].Kind() != ID
	if !wrong {
		col, ok := args[0].(*Col)
		wrong = ok && col.Name != "packet_id"
	}
	if wrong {
		return nil, mistake(1210, "Incorrect arguments to %[1]s: it is %[1]s(packet_id)", name)
	}
	if err := c.session.May(tables.Main, tables.PacketBytes.Name); err != nil {
		return nil, err
	}
	x, err := c.text(args[0])
	if err != nil {
		return nil, err
	}
	return &Aggregate{Name: "packets", T: t, Args: []Expr{x},
		Finish: &Func{T: t, Shape: name, Args: []Expr{&Col{}}, Session: c.fn, Made: &functions.Prepared{Type: t,
			Eval: func(row []sqltypes.Value) (sqltypes.Value, error) {
				var ids []tables.ID
				for text := range slices.Chunk(row[0].Raw(), tables.IDLength) {
					id, err := tables.ParseID(string(text))
					if err != nil {
						return sqltypes.NULL, err
					}
					ids = append(ids, id)
				}
				if len(ids) == 0 {
					return sqltypes.NULL, nil
				}
				slices.Sort(ids)
				out, err := of(slices.Compact(ids))
				if err != nil || out == nil {
					return sqltypes.NULL, err
				}
				if t.Kind == Text {
					return sqltypes.MakeTrusted(sqltypes.VarChar, out), nil
				}
				return sqltypes.MakeTrusted(sqltypes.VarBinary, out), nil
			}}}}, nil
}
