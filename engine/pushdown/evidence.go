package pushdown

import (
	"slices"
	"strconv"
	"strings"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// What is made of the packets of a group: pcap(packet_id) a capture file,
// follow(packet_id) what their ends said, file_content(packet_id, file_id) a file they carried.

// captureOf is PCAP.
func (c *compiler) captureOf(name string, e sqlparser.Expr) (Expr, error) {
	return c.ofPacketIDs(name, e, Type{Kind: Bytes, Nullable: true}, c.session.Capture)
}

// followOf is FOLLOW.
func (c *compiler) followOf(name string, e sqlparser.Expr) (Expr, error) {
	return c.ofPacketIDs(name, e, Type{Kind: Text, Collation: functions.Bin, Coercibility: 2, Nullable: true}, c.session.Follow)
}

// fileOf is FILE_CONTENT. Behind each packet stands the file, at the length of the longest.
func (c *compiler) fileOf(name string, e sqlparser.Expr) (Expr, error) {
	f := e.(*sqlparser.FuncExpr)
	args, err := c.exprs(f.Exprs)
	if err != nil {
		return nil, err
	}
	if len(args) != 2 || !isPacketID(args[0]) {
		return nil, mistake(1210, "Incorrect arguments to %[1]s: it is %[1]s(packet_id, file_id)", name)
	}
	file := &sqlparser.FuncExpr{Name: sqlparser.NewIdentifierCI("rpad"), Exprs: []sqlparser.Expr{f.Exprs[1], sqlparser.NewIntLiteral(strconv.Itoa(fileIDLength)), sqlparser.NewStrLiteral(" ")}}
	x, err := c.expr(&sqlparser.FuncExpr{Name: sqlparser.NewIdentifierCI("concat"), Exprs: []sqlparser.Expr{f.Exprs[0], file}})
	if err != nil {
		return nil, err
	}
	return c.ofPackets(name, x, Type{Kind: Bytes, Nullable: true}, fileIDLength, c.session.Content)
}

// fileIDLength is how long a file_id is at most, with what files tells of the file behind it.
const fileIDLength = 64

func isPacketID(x Expr) bool {
	col, ok := x.(*Col)
	return x.Kind() == ID && (!ok || col.Name == "packet_id")
}

// ofPacketIDs is an aggregate of packet_id.
func (c *compiler) ofPacketIDs(name string, e sqlparser.Expr, t Type, of func([]tables.ID) ([]byte, error)) (Expr, error) {
	args, err := c.exprs(e.(*sqlparser.FuncExpr).Exprs)
	if err != nil {
		return nil, err
	}
	if len(args) != 1 || !isPacketID(args[0]) {
		return nil, mistake(1210, "Incorrect arguments to %[1]s: it is %[1]s(packet_id)", name)
	}
	return c.ofPackets(name, args[0], t, 0, func(_ string, packets []tables.ID) ([]byte, error) { return of(packets) })
}

// ofPackets is an aggregate of ids, each with as much of a word behind it: one behind
// another, for which the session gets what is made of the packets.
func (c *compiler) ofPackets(name string, arg Expr, t Type, behind int, of func(string, []tables.ID) ([]byte, error)) (Expr, error) {
	if err := c.session.May(tables.Main, tables.PacketBytes.Name); err != nil {
		return nil, err
	}
	x, err := c.text(arg)
	if err != nil {
		return nil, err
	}
	return &Aggregate{Name: "packets", T: t, Args: []Expr{x},
		Finish: &Func{T: t, Shape: name, Args: []Expr{&Col{}}, Session: c.fn, Made: &functions.Prepared{Type: t,
			Eval: func(row []sqltypes.Value) (sqltypes.Value, error) {
				var ids []tables.ID
				word := ""
				for text := range slices.Chunk(row[0].Raw(), tables.IDLength+behind) {
					id, err := tables.ParseID(string(text[:min(tables.IDLength, len(text))]))
					if err != nil {
						return sqltypes.NULL, err
					}
					ids = append(ids, id)
					word = string(text[tables.IDLength:])
				}
				if len(ids) == 0 {
					return sqltypes.NULL, nil
				}
				slices.Sort(ids)
				out, err := of(strings.TrimRight(word, " "), slices.Compact(ids))
				if err != nil || out == nil {
					return sqltypes.NULL, err
				}
				if t.Kind == Text {
					return sqltypes.MakeTrusted(sqltypes.VarChar, out), nil
				}
				return sqltypes.MakeTrusted(sqltypes.VarBinary, out), nil
			}}}}, nil
}
