package functions

import (
	"slices"

	"vitess.io/vitess/go/sqltypes"
)

// evalCompare compares as evalengine does, but text beside a date or time is
// read as one first (manual 12.3): '9:00' is the time 09:00:00.
func evalCompare(c *call) (evaluator, error) {
	kind := Null
	for _, a := range c.args {
		switch k := a.Type.Kind; {
		case k == Clock && kind == Null, k == Date && kind == Null, k == Time:
			kind = k
		case k == Date && kind == Clock:
			kind = Time
		}
	}
	if kind == Null || c.name == "in" && !c.args[0].Type.Kind.Temporal() {
		eval, err := c.bySQL()
		return eval, err
	}
	type reading struct {
		arg  int
		read func(v sqltypes.Value) sqltypes.Value
	}
	var readings []reading
	given := c.args
	c.args = slices.Clone(given)
	for i, a := range given {
		if a.Type.Kind != Text {
			continue
		}
		before := &call{builtin: c.builtin, node: c.node, name: c.name, args: given, s: c.s}
		var read func(v sqltypes.Value) sqltypes.Value
		if kind == Clock {
			clock := before.clock(i)
			read = func(v sqltypes.Value) sqltypes.Value {
				us, ok := clock(v)
				if !ok {
					return sqltypes.NULL
				}
				return sqltypes.MakeTrusted(sqltypes.Time, clockText(us, 6))
			}
			c.args[i].Type = Type{Kind: Clock, Scale: 6, Nullable: true}
		} else {
			at := before.moment(i)
			read = func(v sqltypes.Value) sqltypes.Value {
				m, ok := at(v)
				if !ok {
					return sqltypes.NULL
				}
				return sqltypes.MakeTrusted(sqltypes.Datetime, m.text(Type{Kind: Time, Scale: 6}))
			}
			c.args[i].Type = Type{Kind: Time, Scale: 6, Nullable: true}
		}
		if a.Literal && !a.Value.IsNull() {
			c.args[i].Value = read(a.Value)
			if c.args[i].Value.IsNull() {
				name := map[Kind]string{Clock: "TIME", Date: "DATE", Time: "DATETIME"}[kind]
				return nil, Errorf(1525, "Incorrect %s value: '%s'", name, clip(a.Value))
			}
		}
		readings = append(readings, reading{i, read})
	}
	eval, err := c.bySQL()
	if err != nil || len(readings) == 0 {
		return eval, err
	}
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		row = slices.Clone(row)
		for _, r := range readings {
			if !row[r.arg].IsNull() {
				row[r.arg] = r.read(row[r.arg])
			}
		}
		return eval(row)
	}, nil
}
