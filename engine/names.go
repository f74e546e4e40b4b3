package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

// hostsTable is the DuckDB table of leases.
const hostsTable = "wiresql_hosts"

// nameStore is what is known of names, and their leases as a table of DuckDB's.
// Both follow when a statement asks; a new file costs what is in it.
type nameStore struct {
	mu    sync.RWMutex
	index tables.NameIndex
	// files are those there are; behindFiles: they are not in the index yet.
	files       []archive.File
	behindFiles bool
	// read are the sequence numbers whose observations are in the index: a
	// file that others were merged into says nothing new.
	read map[lane]spans
	// behind are the addresses whose leases in the table are old; all: none is
	// in it.
	behind map[tables.NamedAddress]bool
	all    bool

	loading sync.Mutex // of the table
	// made is how many leases the table had when it was made anew, put how
	// many were put in since: DuckDB keeps the room of those they replaced.
	made, put int
}

// wornOut is how many leases are put into the smallest table before it is made
// anew.
const wornOut = 10_000

// lane is what sequence numbers of files count in.
type lane struct{ writer, lane string }

// spans are ranges of sequence numbers, disjoint and in order.
type spans [][2]uint64

func spansOf(files []archive.File) map[lane]spans {
	out := map[lane]spans{}
	for _, f := range files {
		l := lane{f.Writer, f.Lane}
		out[l] = append(out[l], [2]uint64{f.First, f.Last})
	}
	for l, list := range out {
		slices.SortFunc(list, func(a, b [2]uint64) int { return cmp.Compare(a[0], b[0]) })
		kept := list[:0]
		for _, s := range list {
			if n := len(kept); n > 0 && s[0] <= kept[n-1][1]+1 {
				kept[n-1][1] = max(kept[n-1][1], s[1])
				continue
			}
			kept = append(kept, s)
		}
		out[l] = kept
	}
	return out
}

func (s spans) cover(first, last uint64) bool {
	return slices.ContainsFunc(s, func(r [2]uint64) bool { return r[0] <= first && last <= r[1] })
}

// follow tells which files there are.
func (n *nameStore) follow(files []archive.File) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.files, n.behindFiles = files, true
}

// update reads the files that say something new. When files are gone all are
// read again.
func (n *nameStore) update(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.behindFiles {
		return nil
	}
	files := n.files
	now := spansOf(files)
	lost := n.read == nil
	for l, list := range n.read {
		for _, s := range list {
			lost = lost || !now[l].cover(s[0], s[1])
		}
	}
	if lost {
		n.index, n.read, n.behind, n.all = tables.NameIndex{}, map[lane]spans{}, map[tables.NamedAddress]bool{}, true
	}
	var fresh []archive.File
	for _, f := range files {
		if !n.read[lane{f.Writer, f.Lane}].cover(f.First, f.Last) {
			fresh = append(fresh, f)
		}
	}
	if err := compact.Observations(ctx, fresh, n.index.Add); err != nil {
		return fmt.Errorf("read names: %w", err)
	}
	for _, key := range n.index.Settle() {
		if !n.all {
			n.behind[key] = true
		}
	}
	n.read, n.behindFiles = now, false
	return nil
}

// named, beginning and like are pushdown.Env's questions.
func (n *nameStore) named(name string) []tables.Lease {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.index.Named(name)
}

// beginning sorts what is new of the names, so it is alone.
func (n *nameStore) beginning(with string, wanted int) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.index.Beginning(with, wanted)
}

func (n *nameStore) like(match func(string) bool) (out []tables.Lease) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	n.index.Names(func(name string) {
		if match(name) {
			out = append(out, n.index.Named(name)...)
		}
	})
	return out
}

// changedTable holds the addresses whose leases are put in anew.
const changedTable = "wiresql_hosts_changed"

// load brings the table up to date. A few addresses are replaced in it, in one
// transaction; where they are many it is made anew.
func (n *nameStore) load(ctx context.Context, d *duck) error {
	n.loading.Lock()
	defer n.loading.Unlock()
	n.mu.Lock()
	behind, all := n.behind, n.all
	if !all && len(behind) == 0 {
		n.mu.Unlock()
		return nil
	}
	var keys []tables.NamedAddress
	if all = all || len(behind)*4 > n.index.Len() || n.put > n.made+wornOut; all {
		keys = n.index.Addresses()
	} else {
		for key := range behind {
			keys = append(keys, key)
		}
	}
	leases := n.index.Leases(keys)
	n.behind, n.all = map[tables.NamedAddress]bool{}, false
	n.mu.Unlock()

	err := d.replaceHosts(ctx, keys, leases, all)
	if err != nil { // nothing is lost: the next reader tries again
		n.mu.Lock()
		n.all = true
		n.mu.Unlock()
		return fmt.Errorf("load names of hosts: %w", err)
	}
	if all {
		n.made, n.put = len(leases), 0
	} else {
		n.put += len(leases)
	}
	return nil
}

func (d *duck) replaceHosts(ctx context.Context, keys []tables.NamedAddress, leases []tables.Lease, all bool) error {
	if all {
		return d.load(ctx, hostsTable, hostsFeed(leases))
	}
	if err := d.load(ctx, changedTable, addressFeed(keys)); err != nil {
		return err
	}
	handle := d.publish(hostsFeed(leases))
	defer d.withdraw(handle)
	return d.transaction(
		"DELETE FROM "+hostsTable+" h USING "+changedTable+" c WHERE h.ip_hi = c.ip_hi AND h.ip_lo = c.ip_lo AND coalesce(h.site, '') = c.site",
		"INSERT INTO "+hostsTable+" SELECT * FROM "+feedFunction+"("+functions.Quote(handle)+")")
}

// transaction runs statements without results that hold together.
func (d *duck) transaction(statements ...string) error {
	conn, err := d.connect()
	if err != nil {
		return err
	}
	defer d.release(conn)
	run := func(text string) error {
		var res duckdb.Result
		state := duckdb.Query(conn, text, &res)
		defer duckdb.DestroyResult(&res)
		if state == duckdb.StateError {
			return fmt.Errorf("%s", duckdb.ResultError(&res))
		}
		return nil
	}
	if err := run("BEGIN TRANSACTION"); err != nil {
		return err
	}
	for _, text := range statements {
		if err := run(text); err != nil {
			_ = run("ROLLBACK") // the first error says more
			return err
		}
	}
	return run("COMMIT")
}

func addressFeed(keys []tables.NamedAddress) feed {
	return &listFeed{
		cols: []feedColumn{{"ip_hi", duckdb.TypeUBigInt}, {"ip_lo", duckdb.TypeUBigInt}, {"site", duckdb.TypeVarchar}},
		rows: len(keys),
		write: func(row int, to func(int) *vectorWriter, at int) {
			put(to(0), at, keys[row].Addr.Hi)
			put(to(1), at, keys[row].Addr.Lo)
			to(2).setText(at, keys[row].Site)
		},
	}
}

func hostsFeed(leases []tables.Lease) feed {
	return &listFeed{
		cols: append(columnsOf(tables.Hosts), feedColumn{"site", duckdb.TypeVarchar}),
		rows: len(leases),
		write: func(row int, to func(int) *vectorWriter, at int) {
			l := &leases[row]
			to(0).setText(at, l.Name)
			put(to(1), at, l.Addr.Hi)
			put(to(2), at, l.Addr.Lo)
			putOpt(to(3), at, l.MAC)
			put(to(4), at, int64(l.TS))
			put(to(5), at, int64(l.TSEnd))
			to(6).setText(at, l.Source)
			to(7).setTextOrNull(at, l.Site)
		},
	}
}

// loadHosts brings the table of leases up to date if a relation's columns are
// made of it.
func (s *snapshot) loadHosts(ctx context.Context, d *duck, rel *tables.Relation, columns []string) error {
	if !pushdown.ReadsHosts(rel, columns) {
		return nil
	}
	if err := s.names.update(ctx); err != nil {
		return err
	}
	return s.names.load(ctx, d)
}
