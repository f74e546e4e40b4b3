package archive

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
)

// A machine of a test, whose clock can be set.
type machine struct {
	true tables.Time // what really is
	off  tables.Time // of the clock
	boot string
	up   time.Duration
}

func (m *machine) reading() reading { return reading{m.true + m.off, m.boot, m.up} }

func (m *machine) pass(d time.Duration) {
	m.true += tables.Time(d / time.Microsecond)
	m.up += d
}

const year = 365 * day

// However the clock is set while an archive is recorded, a file is evicted when it
// has the age to go, by the time that really passed, and none before: also when who
// evicts is killed and another process goes on.
func TestClockIsSet(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := &machine{true: ago(0), boot: "first"}
		if seed%3 == 1 {
			m.off = -tables.Time(20 * year / time.Microsecond) // until it is set for the first time
		}
		d := disk.NewMemory()
		a := onDisk(t, d)
		a.clocks = m.reading
		a.o.Retention = &Retention{PacketsAge: 10 * day, FlowsAge: 10 * day, ConnectionsAge: 10 * day}
		var arrived []tables.Time // of the segments, really
		settings := 0
		for range 60 {
			m.pass(time.Duration(1+r.IntN(12)) * time.Hour)
			if _, err := a.Evict(); err != nil { // every ten seconds, in truth
				t.Fatal(err)
			}
			if r.IntN(6) == 0 {
				settings++
				switch r.IntN(5) {
				case 0:
					m.off = 0
				default:
					jump := []time.Duration{time.Hour, 10 * year, 30 * day, 100 * year}[r.IntN(4)]
					if r.IntN(2) == 0 {
						jump = -jump
					}
					if next := m.off + tables.Time(jump/time.Microsecond); m.true+next > tables.Time(24*time.Hour/time.Microsecond) {
						m.off = next
					}
				}
				m.pass(time.Second)
				if _, err := a.Evict(); err != nil {
					t.Fatal(err)
				}
			}
			arrives(t, a, "meter", m.true+m.off, 1)
			arrived = append(arrived, m.true)
			if r.IntN(8) == 0 { // it dies
				b, err := Open("/data", Options{Disk: d.Kill(), Retention: a.o.Retention})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { b.Close() })
				d = b.disk.(*disk.Memory)
				a, b.clocks = b, m.reading
			}
		}
		if _, err := a.Evict(); err != nil {
			t.Fatal(err)
		}
		gone, kept := 0, 0
		for i, s := range catalog(t, a).Segments() {
			age := time.Duration(m.true-arrived[i]) * time.Microsecond
			switch is := s.State == StateEvicted; {
			case is && age < 10*day-time.Hour:
				t.Errorf("seed %d: evicted %v old", seed, age)
			case !is && age > 10*day+13*time.Hour:
				t.Errorf("seed %d: kept %v old", seed, age)
			case is:
				gone++
			default:
				kept++
			}
		}
		if gone == 0 || kept == 0 || settings == 0 {
			t.Errorf("seed %d: %d gone, %d kept, %d settings", seed, gone, kept, settings)
		}
	}
}

// While a machine is off, a day at most is believed; what nobody saw has no age.
func TestClockOfAnotherStart(t *testing.T) {
	m := &machine{true: ago(0), boot: "first", up: time.Hour}
	var s steadyClock
	first := m.true
	s.begin(m.reading(), first-3600e6, first-1)
	for _, c := range []struct {
		off  time.Duration // how long the machine was
		set  time.Duration // and its clock is wrong by then
		want time.Duration // that counts
	}{{time.Hour, 0, time.Hour}, {3 * day, 0, day}, {time.Minute, 10 * year, day}, {time.Minute, 0, 0}, {time.Minute, -10 * year, 0}} {
		s.look(m.reading())
		before := s.now()
		m.true += tables.Time(c.off / time.Microsecond)
		m.off, m.up, m.boot = tables.Time(c.set/time.Microsecond), time.Minute, m.boot+"+"
		s.look(m.reading())
		if got := time.Duration(s.now()-before) * time.Microsecond; got != c.want {
			t.Errorf("off for %v, set by %v: %v passed, want %v", c.off, c.set, got, c.want)
		}
	}
	if got := s.at(first - tables.Time(30*year/time.Microsecond)); got != s.now() {
		t.Errorf("a time nobody saw is %v", got)
	}
	for range 3 * maxEras {
		m.off += tables.Time(time.Hour / time.Microsecond)
		s.look(m.reading())
	}
	if len(s.Eras) > maxEras || !slices.ContainsFunc(s.Eras, func(e era) bool { return e.From == first-3600e6 }) {
		t.Errorf("%d eras, the first of %v", len(s.Eras), s.Eras[0])
	}
}
