package archive

import (
	"math"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
)

// What budgets mean: three segments of equal size came 30, 20 and 10 hours ago,
// so two a day.
func TestKept(t *testing.T) {
	const hour = 3600.0
	a, err := Open("/data", Options{Disk: disk.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for _, hours := range []int{30, 20, 10} {
		arrives(t, a, "meter_dmz", tables.Time(time.Now().Add(-time.Duration(hours)*time.Hour).UnixMicro()), 2)
	}
	arrives(t, a, tables.Importer, tables.Time(time.Now().Add(-time.Hour).UnixMicro()), 0)
	c := catalog(t, a)
	size := c.Segments()[0].Bytes
	for _, one := range []struct {
		r           Retention
		free        int64
		limit       int64
		keeps, goes float64 // hours; -1: not
	}{
		{Retention{}, 100 * size, 104*size - rowBytes(c), 1248, 1200},
		{Retention{PacketsBytes: 10 * size}, 100 * size, 10 * size, 120, 72},
		{Retention{PacketsBytes: 10 * size, PacketsAge: 48 * time.Hour}, 100 * size, 10 * size, 48, 18},
		{Retention{PacketsBytes: 4 * size, PacketsAge: 48 * time.Hour}, 100 * size, 4 * size, 48, 0},
		{Retention{PacketsBytes: 3 * size, PacketsAge: 48 * time.Hour}, 100 * size, 3 * size, 36, 0},
		{Retention{PacketsAge: 24 * time.Hour}, 100 * size, 104*size - rowBytes(c), 24, 0},
		{Retention{DiskFree: 90 * size}, 100 * size, 14*size - rowBytes(c), 168, 120},
	} {
		k := c.kept(&one.r, []volume{{roots: map[int]bool{0: true}, free: one.free, takes: true}})[0]
		if k.Family != packets || k.Files != 4 || k.Bytes != 4*size || math.Abs(k.Rate-float64(size)/(12*hour)) > 0.01*k.Rate {
			t.Errorf("%+v of %d bytes a segment", k, size)
		}
		// Rows are small beside it: their bytes are within the tolerance.
		if d := k.Limit - one.limit; d < -rowBytes(c) || d > rowBytes(c) {
			t.Errorf("%+v: limit %d, want %d", one.r, k.Limit, one.limit)
		}
		tolerance := 0.02 + float64(rowBytes(c))/float64(size)*12
		if math.Abs(k.Keeps/hour-one.keeps) > tolerance || math.Abs(k.In/hour-one.goes) > tolerance {
			t.Errorf("%+v: kept for %.2f hours, the first go in %.2f; want %v, %v", one.r, k.Keeps/hour, k.In/hour, one.keeps, one.goes)
		}
	}
	families := ""
	for _, k := range c.kept(&Retention{FlowsAge: 31 * time.Hour}, nil) {
		families += k.Family + " "
		if k.Family == "flows" && (math.Abs(k.In/hour-1) > 0.01 || k.Files != 4) {
			t.Errorf("flows: %+v", k)
		}
	}
	if families != "packets flows connections " {
		t.Errorf("families %s", families)
	}
}

func rowBytes(c *Catalog) int64 {
	_, n := c.Rows()
	return n
}
