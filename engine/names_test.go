package engine

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

// TestNamesFollowFiles adds files of names, merges them and takes one away, and
// compares the hosts of an engine that followed with those of one that starts.
func TestNamesFollowFiles(t *testing.T) {
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	e := openEngine(t, a)
	r := rand.New(rand.NewPCG(7, 8))
	const all = "SELECT name, ip, mac, ts, ts_end, source FROM hosts ORDER BY ip, ts, name, source"
	now := tables.Time(time.Now().UnixMicro()) - 3600e6
	for round := range 12 {
		switch {
		case round == 5 || round == 9:
			if _, err := compact.Run(t.Context(), a, compact.Config{}); err != nil {
				t.Fatal(err)
			}
		case round == 11:
			catalog, err := a.Catalog()
			if err != nil {
				t.Fatal(err)
			}
			files := catalog.Files(archive.Names)
			if err := os.Remove(files[len(files)/2].Path); err != nil {
				t.Fatal(err)
			}
			a.Refresh()
		default:
			// The first file is most of it; those after it change a little.
			list := make([]tables.Name, 3)
			if round == 0 {
				list = make([]tables.Name, 300)
			}
			for i := range list {
				ts := now + tables.Time(r.IntN(3600))*1e6
				list[i] = tables.Name{TS: ts, Name: fmt.Sprint("host-", r.IntN(40)), Addr: tables.Addr{Lo: 0xffff0a000000 + uint64(r.IntN(60))},
					Source: []string{"dns", "dhcp"}[r.IntN(2)], ValidUntil: ts + tables.Time(r.IntN(3000))*1e6, Site: []string{"", "berlin"}[r.IntN(2)]}
			}
			sortNames(list)
			commit(t, a, "import", func(tx *archive.Tx) error {
				_, err := archive.WriteRows(tx, "e", list)
				return err
			})
		}
		want := ask(t, openEngine(t, a), all)
		if got := ask(t, e, all); got != want {
			t.Fatalf("round %d: hosts are\n%s\nwant\n%s", round, got, want)
		}
	}
}

// BenchmarkNewNames is a query by conversation right after a file of names came,
// with few and with many observations there before; it shows a host's name, or
// does not.
func BenchmarkNewNames(b *testing.B) {
	for _, n := range []int{1000, 10_000_000} {
		a, _ := recordedArchive(b, time.Now(), 0, 1, 10)
		commitMissing(b, a, 0)
		for first := 0; first < n; first += 1_000_000 {
			list := make([]tables.Name, min(n, 1_000_000))
			for i := range list {
				ts := tables.Time(first+i) * 20_000
				host := uint64(first+i) * 0x9e3779b97f4a7c15 >> 40 % 50_000
				list[i] = tables.Name{TS: ts, Name: fmt.Sprint("host-", host), Addr: tables.Addr{Lo: 0xffff0a000000 + host}, Source: "dns", ValidUntil: ts + 300e6}
			}
			commit(b, a, "import", func(tx *archive.Tx) error {
				_, err := archive.WriteRows(tx, "e", list)
				return err
			})
		}
		e := openEngine(b, a)
		s := e.NewSession()
		ask(b, e, "SELECT COUNT(*) FROM hosts")
		serial := n
		for name, statement := range map[string]string{
			"no name": "SELECT client_ip, bytes FROM connections WHERE conn_id = '0000000002Z8A'",
			"name":    "SELECT client_ip, client_host, bytes FROM connections WHERE conn_id = '0000000002Z8A'",
		} {
			b.Run(fmt.Sprintf("%s/observations=%d", name, n), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					serial++
					ts := tables.Time(serial) * 20_000
					commit(b, a, "import", func(tx *archive.Tx) error {
						_, err := archive.WriteRows(tx, "e", []tables.Name{{TS: ts, Name: "new", Addr: tables.Addr{Lo: 0xffff0a000000 + uint64(serial%900)}, Source: "dns", ValidUntil: ts + 300e6}})
						return err
					})
					b.StartTimer()
					rows, err := s.Query(b.Context(), statement)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := rows.All(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func sortNames(list []tables.Name) {
	slices.SortStableFunc(list, func(x, y tables.Name) int { return cmp.Compare(x.TS, y.TS) })
}
