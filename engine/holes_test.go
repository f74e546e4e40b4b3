package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// TestRecordings: between captures nothing was recorded where it was silent for longer
// than within those beside.
func TestRecordings(t *testing.T) {
	const minute = tables.Time(60_000_000)
	at := func(from, to, silence tables.Time) covering {
		return covering{period{from * minute, to * minute}, silence}
	}
	for _, c := range []struct {
		name string
		list []covering
		want []period
	}{
		{"a quiet minute", []covering{at(0, 10, 0), at(11, 20, 0)}, nil},
		{"ten minutes of a busy network", []covering{at(0, 10, minute/60), at(20, 30, minute)}, []period{{10 * minute, 20 * minute}}},
		{"of one that is as silent before", []covering{at(0, 10, 5*minute), at(20, 30, minute)}, nil},
		{"and behind", []covering{at(0, 10, minute), at(20, 30, 5*minute)}, nil},
		{"silence elsewhere says nothing", []covering{at(0, 10, 0), at(20, 30, 0), at(100, 110, 60*minute)}, []period{{10 * minute, 20 * minute}}},
		{"nobody looked for silence", []covering{at(0, 10, pushdown.MaxTime), at(200, 300, 0)}, nil},
		{"another sensor recorded", []covering{at(0, 10, 0), at(20, 30, 0), at(5, 25, 0)}, nil},
	} {
		if _, got := recordings(c.list); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestPauses: between two of its rows who says when it was at work was not, unless
// something else is of the time.
func TestPauses(t *testing.T) {
	for _, c := range []struct {
		list, also, want []period
	}{
		{[]period{{0, 9}}, nil, nil},
		{[]period{{0, 9}, {9, 20}}, nil, nil},
		{[]period{{30, 40}, {0, 9}}, nil, []period{{10, 29}}},
		{[]period{{0, 9}, {30, 40}}, []period{{5, 35}}, nil},
		{[]period{{0, 9}, {30, 40}}, []period{{15, 20}}, []period{{10, 14}, {21, 29}}},
		{[]period{{0, 9}, {30, 40}}, []period{{60, 70}, {-20, -10}}, []period{{10, 29}}},
	} {
		if got := pauses(c.list, c.also); !slices.Equal(got, c.want) {
			t.Errorf("%v beside %v: %v", c.list, c.also, got)
		}
	}
}

// A sensor that recorded live and does no longer, while another goes on, is told of
// beside answers of the time since, a week long; not of the time before, nor of the
// other sensor, nor where all ended together.
func TestSensorThatEnded(t *testing.T) {
	const begin = 1_781_258_400_000_000 // 2026-06-12 10:00
	at := func(minutes int) tables.Time { return begin + tables.Time(minutes)*60e6 }
	for _, c := range []struct {
		ends map[string]int // in minutes
		want map[string]string
	}{
		{map[string]int{"dmz": 60, "lan": 61}, map[string]string{"2026-06-12 10:30|2026-06-12 12:00": ""}},
		{map[string]int{"dmz": 60, "lan": 20_000}, map[string]string{
			"2026-06-12 10:00|2026-06-12 10:50": "",
			"2026-06-12 10:00|2026-06-12 11:30": "the sensor dmz recorded until 2026-06-12 11:00:00, and others went on",
			"2026-06-18 10:00|2026-06-18 11:30": "the sensor dmz recorded until 2026-06-12 11:00:00, and others went on",
			"2026-06-20 10:00|2026-06-20 11:30": "",
		}},
	} {
		a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		commit(t, a, "capture", func(tx *archive.Tx) error {
			var list []tables.Coverage
			for sensor, end := range c.ends {
				list = append(list, tables.Coverage{Sensor: sensor, Interface: sensor, TS: begin, TSEnd: at(end), Packets: 10})
			}
			slices.SortFunc(list, func(x, y tables.Coverage) int { return strings.Compare(x.Sensor, y.Sensor) })
			_, err := archive.WriteRows(tx, "e", list)
			return err
		})
		e := openEngine(t, a)
		for of, want := range c.want {
			from, to, _ := strings.Cut(of, "|")
			for _, relation := range []string{"connections", "flows", "packets"} {
				text := "SELECT COUNT(*) FROM " + relation + " WHERE ts >= '" + from + "' AND ts < '" + to + "'"
				if got := said(t, e, text); !strings.Contains(got, want) || want == "" && strings.Contains(got, "recorded until") {
					t.Errorf("%s: %q, want %q", text, got, want)
				}
			}
			if got := said(t, e, "SELECT COUNT(*) FROM flows WHERE observer = 'lan' AND ts >= '"+from+"' AND ts < '"+to+"'"); strings.Contains(got, "recorded until") {
				t.Errorf("of the other one: %q", got)
			}
		}
	}
}
