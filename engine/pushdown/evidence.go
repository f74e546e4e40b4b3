package pushdown

import (
	"slices"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// What is made of the packets of a group: pcap(packet_id) a capture file,
// follow(packet_id) what their ends said. stream(conn_id) follows all packets of
// a conversation.

var followedType = Type{Kind: Text, Collation: functions.Bin, Coercibility: 2, Nullable: true}

// captureOf is PCAP.
func (c *compiler) captureOf(name string, e sqlparser.Expr) (Expr, error) {
	return c.ofPackets(name, e, Type{Kind: Bytes, Nullable: true}, c.session.Capture)
}

// followOf is FOLLOW.
func (c *compiler) followOf(name string, e sqlparser.Expr) (Expr, error) {
	return c.ofPackets(name, e, followedType, c.session.Follow)
}

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
	return c.gathered(name, args[0], t, of)
}

// gathered is an aggregate of ids: one behind another, for which the session gets
// the packets.
func (c *compiler) gathered(name string, id Expr, t Type, of func([]tables.ID) ([]byte, error)) (Expr, error) {
	if err := c.session.May(tables.Main, tables.PacketBytes.Name); err != nil {
		return nil, err
	}
	x, err := c.text(id)
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

// stream is STREAM: a subquery that follows the packets of a conversation.
func (c *compiler) stream(args []Expr) (Expr, error) {
	if len(args) != 1 || args[0].Kind() == ID && meaning(args[0]) != nil && meaning(args[0]).Name != "conn_id" {
		return nil, mistake(1210, "Incorrect arguments to stream: it is stream(conn_id)")
	}
	if err := c.session.May(tables.Main, tables.Packets.Name); err != nil {
		return nil, err
	}
	if err := c.countTable(); err != nil {
		return nil, err
	}
	s := c.scan(tables.Packets)
	same, err := c.comparison("=", s.column("conn_id"), args[0])
	if err != nil {
		return nil, err
	}
	a, err := c.gathered("follow", s.column("packet_id"), followedType, c.session.Follow)
	if err != nil {
		return nil, err
	}
	text := Named{Column{ID: c.identity(), Name: "stream", Type: a.(*Aggregate).T}, a}
	group := &Group{Child: &Filter{s, []Expr{same}}, Aggs: []Named{text}}
	return &Subquery{Op: "scalar", Rel: &Project{group, []Named{{text.Column, &Col{text.Column}}}}, T: text.Type}, nil
}
