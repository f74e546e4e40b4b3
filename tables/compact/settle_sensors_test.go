package compact

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// seen is a row of a sensor, its times in seconds.
func seen(sensor string, id tables.ID, p int32, last bool, from, to float64, client, server int64, change ...func(*tables.Flow)) tables.Flow {
	f := flow(id, p, last, 0, 0, client, server)
	f.TS, f.TSEnd, f.Sensor = tables.Time(from*1e6), tables.Time(to*1e6), sensor
	f.Segments = []int32{int32(id)}
	f.TCPFlags, f.ReverseTCPFlags = tables.Some(int32(0)), tables.Some(int32(0))
	for _, c := range change {
		c(&f)
	}
	return f
}

// once is the whole of what a sensor saw.
func once(sensor string, id tables.ID, from, to float64, client, server int64, change ...func(*tables.Flow)) tables.Flow {
	return seen(sensor, id, 1, true, from, to, client, server, change...)
}

func sent(client, server int32, by string) func(*tables.Flow) {
	return func(f *tables.Flow) {
		f.TCPFlags, f.ReverseTCPFlags, f.OrientedBy = tables.Some(client), tables.Some(server), by
	}
}

// swapped: the sensor took the other end for the client.
func swapped(by string) func(*tables.Flow) {
	return func(f *tables.Flow) {
		f.Src, f.Dst, f.SrcPort, f.DstPort, f.OrientedBy = f.Dst, f.Src, f.DstPort, f.SrcPort, by
		f.Packets, f.Bytes, f.ReversePackets, f.ReverseBytes = f.ReversePackets.V, f.ReverseBytes.V, tables.Some(f.Packets), tables.Some(f.Bytes)
		f.WireBytes, f.ReverseWireBytes = f.ReverseWireBytes, f.WireBytes
		f.TCPFlags, f.ReverseTCPFlags = f.ReverseTCPFlags, f.TCPFlags
	}
}

// putSeen commits rows of sensors, and segments that say which sensors there are.
func putSeen(t *testing.T, a *archive.Archive, flows []tables.Flow) {
	t.Helper()
	tx, err := a.Begin("import")
	if err != nil {
		t.Fatal(err)
	}
	var list []tables.Segment
	for _, f := range flows {
		if !slices.ContainsFunc(list, func(s tables.Segment) bool { return s.Sensor == f.Sensor && s.Site == f.Site }) {
			serial++
			list = append(list, tables.Segment{Segment: int32(serial & (1<<20 - 1)), Kind: "pcap", Sensor: f.Sensor, Site: f.Site, Path: fmt.Sprint("packets/", serial)})
		}
	}
	if _, err := archive.WriteRows(tx, "e", list); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	put(t, a, flows)
}

// roles tells of each metered row, by its id, whose packets are the conversation's:
// +conversation when its own are, else -conversation.
func roles(t *testing.T, a *archive.Archive) string {
	t.Helper()
	cat, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range cat.Files(archive.Flows) {
		by, err := joinedIn(t.Context(), cat, f)
		if err != nil {
			t.Fatal(err)
		}
		if err := each(t.Context(), f, func(r *tables.Flow) {
			if j, ok := by[rowKey{r.FlowID, r.TS}]; ok {
				join(r, &j)
			}
			sign := "+"
			if r.JoinedID.Set {
				sign = "-"
			}
			list = append(list, fmt.Sprintf("%d%s%d", r.FlowID, sign, r.Conversation()))
		}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// orders calls fn with the ways in which rows may come.
func orders(t *testing.T, list []tables.Flow, young, fn func(t *testing.T, a *archive.Archive)) {
	for _, how := range []string{"at once", "by sensor", "by sensor, backwards", "each alone", "shuffled"} {
		t.Run(how, func(t *testing.T) {
			a, list := open(t), slices.Clone(list)
			by := func(less int) {
				slices.SortStableFunc(list, func(x, y tables.Flow) int { return less * strings.Compare(x.Sensor, y.Sensor) })
				for len(list) > 0 {
					n := 1
					for n < len(list) && list[n].Sensor == list[0].Sensor {
						n++
					}
					putSeen(t, a, list[:n])
					run(t, a)
					list = list[n:]
				}
			}
			switch how {
			case "at once":
				putSeen(t, a, list)
				young(t, a)
			case "by sensor":
				by(1)
			case "by sensor, backwards":
				by(-1)
			default:
				if how == "shuffled" {
					rand.New(rand.NewPCG(1, 2)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
				}
				for i := range list {
					putSeen(t, a, list[i:i+1])
					run(t, a)
				}
			}
			run(t, a)
			fn(t, a)
			if s := run(t, a); s != (Stats{}) {
				t.Errorf("again: %+v", s)
			}
		})
	}
}

// Sensors that see the same packets are one connection, counted once, in whatever
// order and number of runs their rows come.
func TestSensorsOfOneConversation(t *testing.T) {
	for _, c := range []struct {
		name  string
		in    []tables.Flow
		want  string
		roles string
	}{
		{"two, of the same packets, a clock off by 3 ms", []tables.Flow{once("a", 1, 10, 20, 5, 4), once("b", 2, 10.003, 20.003, 5, 4)},
			"10-20 10.0.0.1:40000 5>4 a a,b syn C1 x1\n", "101+1 201-1"},
		{"one lost packets", []tables.Flow{once("a", 1, 10, 20, 5, 4), once("b", 2, 10, 20, 5, 6)},
			"10-20 10.0.0.1:40000 5>6 b a,b syn C1 x1\n", "101-2 201+2"},
		{"three", []tables.Flow{once("a", 1, 10, 20, 1, 1), once("b", 2, 11, 20, 5, 6), once("c", 3, 12, 20.5, 9, 1)},
			"11-20 10.0.0.1:40000 5>6 b a,b,c syn C1 x1\n", "101-2 201+2 301-2"},
		{"one began late, with more packets", []tables.Flow{once("a", 1, 10, 60, 5, 4), once("b", 2, 30, 60, 50, 40)},
			"10-60 10.0.0.1:40000 5>4 a a,b syn C1 x1\n", "101+1 201-1"},
		{"one stopped, the other began, between them they saw all", []tables.Flow{once("a", 1, 10, 40, 5, 4), once("b", 2, 30, 60, 6, 4)},
			"10-60 10.0.0.1:40000 6>4 b a,b syn C1 x1\n", "101-2 201+2"},
		{"clocks further apart than the skew", []tables.Flow{once("a", 1, 10, 11, 5, 4), once("b", 2, 13.1, 14.1, 5, 4)},
			"10-11 10.0.0.1:40000 5>4 a a syn C1 x1\n13.1-14.1 10.0.0.1:40000 5>4 b b syn C1 x1\n", "101+1 201+2"},
		{"each direction on its own way", []tables.Flow{once("a", 1, 10, 20, 5, 0, sent(0x1b, 0, "syn")), once("b", 2, 10.1, 20.1, 0, 7, sent(0, 0x1b, "synack"))},
			"10-20.1 10.0.0.1:40000 5>7 b a,b syn SF x1\n", "101+2 201+2"},
		{"each direction, one sensor wrong about the client", []tables.Flow{once("a", 1, 10, 20, 9, 0, sent(0x1a, 0, "syn")), once("b", 2, 10.1, 20, 0, 70, sent(0, 0x1a, "first_packet"), swapped("first_packet"))},
			"10-20 10.0.0.1:40000 9>70 b a,b syn S1 x1\n", "101+2 201+2"},
		{"an answer that takes its time", []tables.Flow{once("a", 1, 10, 10, 1, 0), once("b", 2, 40, 40, 0, 1)},
			"10-40 10.0.0.1:40000 1>1 a a,b syn OTH x1\n", "101+1 201+1"},
		{"both directions, a third has one of them", []tables.Flow{once("a", 1, 10, 20, 5, 0), once("b", 2, 10, 20, 0, 3), once("c", 3, 10, 20, 0, 2)},
			"10-20 10.0.0.1:40000 5>3 a a,b,c syn OTH x1\n", "101+1 201+1 301-1"},
		{"a port that is used again and again, a clock nearer to the next", []tables.Flow{
			once("a", 1, 10, 10.1, 1, 1), once("a", 2, 10.5, 10.6, 2, 1), once("a", 3, 11, 11.1, 3, 1),
			once("b", 4, 10.3, 10.4, 1, 1), once("b", 5, 10.8, 10.9, 2, 1), once("b", 6, 11.3, 11.4, 3, 1)},
			"10-10.1 10.0.0.1:40000 1>1 a a,b syn C1 x1\n10.5-10.6 10.0.0.1:40000 2>1 a a,b syn C1 x1\n11-11.1 10.0.0.1:40000 3>1 a a,b syn C1 x1\n",
			"101+1 201+2 301+3 401-1 501-2 601-3"},
		{"one saw no end between two", []tables.Flow{once("a", 1, 10, 20, 5, 4), once("a", 2, 20.5, 40, 6, 4), once("b", 3, 10, 40, 12, 8)},
			"10-40 10.0.0.1:40000 12>8 b a,b syn C1 x1\n", "101-3 201-3 301+3"},
		{"one saw no end between two, and lost packets", []tables.Flow{once("a", 1, 10, 20, 5, 4), once("a", 2, 20.5, 40, 6, 4), once("b", 3, 10, 40, 7, 8)},
			"10-20 10.0.0.1:40000 5>4 a a,b syn C1 x1\n20.5-40 10.0.0.1:40000 6>4 a a syn C1 x1\n", "101+1 201+2 301-1"},
		{"a capture that was cut in two, and a whole one", []tables.Flow{once("a", 1, 10, 20, 5, 4), once("a", 2, 20.1, 40, 6, 4), once("b", 3, 10, 40, 11, 8)},
			"10-40 10.0.0.1:40000 11>8 b a,b syn C1 x1\n", "101-3 201-3 301+3"},
		{"one missed the first of two", []tables.Flow{once("a", 1, 10, 20, 5, 4), once("a", 2, 30, 40, 6, 4), once("b", 3, 30.1, 40, 6, 4)},
			"10-20 10.0.0.1:40000 5>4 a a syn C1 x1\n30-40 10.0.0.1:40000 6>4 a a,b syn C1 x1\n", "101+1 201+2 301-2"},
		{"pieces that are cut elsewhere", []tables.Flow{seen("a", 1, 1, false, 10, 70, 50, 40), seen("a", 1, 2, false, 70, 130, 50, 40), seen("a", 1, 3, true, 131, 140, 5, 4),
			seen("b", 2, 1, false, 20, 80, 50, 40), seen("b", 2, 2, true, 80, 140, 50, 40)},
			"10-140 10.0.0.1:40000 105>84 a a,b syn C3 x3\n", "101+1 102+1 103+1 201-1 202-1"},
		{"the second is ahead until the end", []tables.Flow{seen("b", 2, 1, false, 10, 70, 50, 40), seen("b", 2, 2, true, 70, 140, 50, 40),
			seen("a", 1, 1, false, 10, 70, 49, 40), seen("a", 1, 2, true, 70, 140, 60, 40)},
			"10-140 10.0.0.1:40000 109>80 a a,b syn C2 x2\n", "101+1 102+1 201-1 202-1"},
		{"two customers' addresses", []tables.Flow{once("a", 1, 10, 20, 5, 4), once("b", 2, 10, 20, 5, 4, func(f *tables.Flow) { f.Site = "other" })},
			"10-20 10.0.0.1:40000 5>4 a a syn C1 x1\n10-20 10.0.0.1:40000 5>4 b b syn C1 x1\n", "101+1 201+2"},
		{"behind a translation", []tables.Flow{once("a", 1, 10, 20, 5, 4), once("b", 2, 10, 20, 5, 4, func(f *tables.Flow) { f.SrcPort, f.CID = 50001, 8 })},
			"10-20 10.0.0.1:40000 5>4 a a syn C1 x1\n10-20 10.0.0.1:50001 5>4 b b syn C1 x1\n", "101+1 201+2"},
		{"another with the same hash", []tables.Flow{once("a", 1, 10, 20, 5, 4), once("b", 2, 10, 20, 5, 4, func(f *tables.Flow) { f.SrcPort = 50001 })},
			"10-20 10.0.0.1:40000 5>4 a a syn C1 x1\n10-20 10.0.0.1:50001 5>4 b b syn C1 x1\n", "101+1 201+2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			orders(t, c.in, func(t *testing.T, a *archive.Archive) {
				list, _ := withYoung(t, a)
				slices.SortFunc(list, func(x, y tables.Connection) int {
					return cmp.Or(cmp.Compare(x.TS, y.TS), cmp.Compare(x.ConnID, y.ConnID))
				})
				if got := told(list); got != c.want {
					t.Errorf("young: got\n%swant\n%s", got, c.want)
				}
			}, func(t *testing.T, a *archive.Archive) {
				if got := told(connections(t, a)); got != c.want {
					t.Errorf("got\n%swant\n%s", got, c.want)
				}
				if r := roles(t, a); r != c.roles {
					t.Errorf("rows %s, want %s", r, c.roles)
				}
			})
		})
	}
}
