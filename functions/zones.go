package functions

import (
	"sync"
	"time"

	"vitess.io/vitess/go/mysql/datetime"
	"vitess.io/vitess/go/sqltypes"
)

// zones finds time zones by name and keeps those it found: each is read from a
// file. There are some hundred names, so what is kept is bounded by them.
type zones struct{ known sync.Map }

// find gives nil for a zone that does not exist.
func (z *zones) find(name string) *time.Location {
	if l, ok := z.known.Load(name); ok {
		return l.(*time.Location)
	}
	l, err := datetime.ParseTimeZone(name)
	if err != nil {
		return nil
	}
	z.known.Store(name, l)
	return l
}

// evalConvertTZ leaves times as they are that are not of the years 1970 to 3001
// in UTC (manual 14.7).
func evalConvertTZ(c *call) (evaluator, error) {
	at, known := c.moment(0), &zones{}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		from, to := known.find(row[1].ToString()), known.find(row[2].ToString())
		if from == nil || to == nil {
			return sqltypes.NULL, nil
		}
		m, ok := at(row[0])
		if !ok || !m.valid(false) {
			return sqltypes.NULL, nil
		}
		t := m.std(from)
		if s := t.Unix(); s >= 0 && s < lastUnix {
			m = ofStd(t.In(to))
		}
		return c.momentValue(m), nil
	}), nil
}
