package engine

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// Few rows of many, told by an address or an id: a scan of them is answered
// from the pages that hold them (rows.Lookup), which DuckDB then reads as a
// relation beside the files that are left. DuckDB itself has no use for a page
// index and would decode the whole column first. What is found may be more than
// the statement asks for, never less: its conditions are asked again.

// lookupCells is up to how many values are looked up, rows times columns: from
// there on scanning the files is as cheap.
const lookupCells = 16 << 10

// errScan tells that rows are not worth looking up.
var errScan = errors.New("rows are read by a scan")

// lookups look rows of a family up. They return errScan when there are more
// than most, or when a column has lists or blobs or is another family's. Files
// of exports have no pages to choose from.
var lookups = map[archive.Family]func(ctx context.Context, files []archive.File, any [][]rows.Values, columns []string, most int) (*listFeed, rows.LookupStats, error){
	archive.Flows:       lookupRows[tables.Flow],
	archive.Connections: lookupRows[tables.Connection],
	archive.DNS:         lookupRows[tables.DNS],
	archive.DNSAnswers:  lookupRows[tables.DNSAnswer],
	archive.TLS:         lookupRows[tables.TLS],
	archive.HTTP:        lookupRows[tables.HTTP],
	archive.Logins:      lookupRows[tables.Login],
	archive.FileAccess:  lookupRows[tables.File],
	archive.RPC:         lookupRows[tables.RPC],
	archive.Mail:        lookupRows[tables.Mail],
	archive.ARP:         lookupRows[tables.ARP],
	archive.ICMP:        lookupRows[tables.ICMP],
	archive.DHCP:        lookupRows[tables.DHCP],
	archive.Oddities:    lookupRows[tables.Oddity],
}

// lookUp replaces the files of a source whose few rows a scan's equalities
// tell by these rows; columns are the stored ones it reads, by family.
func (r *run) lookUp(s *pushdown.ScanPlan, src *pushdown.Source, files []archive.File, columns map[string][]string, one *reading) error {
	any := alternatives(s.Bounds.Equal)
	if any == nil {
		return nil
	}
	for family, refs := range src.Files {
		look := lookups[archive.Family(family)]
		if look == nil {
			continue
		}
		var in []archive.File
		var rest []pushdown.FileRef
		for _, ref := range refs {
			i := slices.IndexFunc(files, func(f archive.File) bool { return f.Path == ref.Path })
			// Micro files have no filters, and compaction's word on young rows
			// is a join of its own.
			if files[i].Level == "m" || ref.Except+ref.Settled+ref.Replaced+ref.Joined+ref.JoinedTable != "" || family == string(archive.Flows) && (ref.Columns == nil || slices.Contains(ref.Columns, "joined_id")) {
				rest = append(rest, ref)
				continue
			}
			in = append(in, files[i])
		}
		if len(in) == 0 {
			continue
		}
		wanted := slices.Clone(columns[family])
		for _, all := range any {
			for _, v := range all {
				wanted = append(wanted, v.Column)
			}
		}
		slices.Sort(wanted)
		wanted = slices.Compact(wanted)
		feed, stats, err := look(r.ctx, in, any, wanted, lookupCells/len(wanted))
		if errors.Is(err, errScan) || errors.Is(err, rows.ErrNotLookedUp) {
			continue
		}
		if err != nil {
			return err
		}
		src.Files[family] = rest
		if src.Tables == nil {
			src.Tables = map[string][]string{}
		}
		src.Tables[family] = append(src.Tables[family], r.published(feed))
		one.leave(in)
		step := r.looked(s.Relation, "looked up by "+lookedBy(any), r.snap.catalog.Files(archive.Family(family)), in, &stats)
		if one.allLooked {
			step.scan = s
		}
	}
	return nil
}

// alternatives are the lookups that find all rows equalities allow: of one of
// them all columns must hold a value. The list with the fewest values leads.
func alternatives(equal [][]pushdown.Equality) (any [][]rows.Values) {
	if len(equal) == 0 {
		return nil
	}
	lead := slices.MinFunc(equal, func(a, b []pushdown.Equality) int { return len(a) - len(b) })
	var more []rows.Values
	for _, list := range equal {
		if one := byColumn(list); len(one) == 1 && &list[0] != &lead[0] {
			more = append(more, one[0])
		}
	}
	for _, v := range byColumn(lead) {
		if v.Column != "joined_id" { // files that have it are not looked into
			any = append(any, append([]rows.Values{v}, more...))
		}
	}
	return any
}

func byColumn(list []pushdown.Equality) (out []rows.Values) {
	for _, e := range list {
		i := slices.IndexFunc(out, func(v rows.Values) bool { return v.Column == e.Column })
		if i < 0 {
			i, out = len(out), append(out, rows.Values{Column: e.Column})
		}
		out[i].Any = append(out[i].Any, e.Value)
	}
	return out
}

// lookedBy names the columns of a lookup as people know them.
func lookedBy(any [][]rows.Values) string {
	var names []string
	for _, all := range any {
		name := strings.TrimSuffix(all[0].Column, "_lo")
		switch {
		case name == "cid":
			name = "community_id"
		case name != all[0].Column:
			name += "_ip"
		}
		names = append(names, name)
	}
	return strings.Join(names, " or ")
}

func lookupRows[T any](ctx context.Context, files []archive.File, any [][]rows.Values, columns []string, most int) (*listFeed, rows.LookupStats, error) {
	var found []T
	var total rows.LookupStats
	stored := map[string]tables.Stored{}
	for _, c := range tables.StoredColumns(reflect.TypeFor[T]()) {
		stored[c.Name] = c.Type
	}
	for _, name := range columns {
		if t, ok := stored[name]; !ok || t == tables.StoredList || t == tables.StoredBytes {
			return nil, total, errScan
		}
	}
	for i, where := range any {
		earlier := make([]func(*T) bool, i)
		for k := range earlier {
			earlier[k] = holds[T](any[k][0])
		}
		stats, err := rows.Lookup(ctx, archive.RowFiles(files), where, columns, func(row *T) error {
			for _, seen := range earlier {
				if seen(row) {
					return nil
				}
			}
			if len(found) == most {
				return errScan
			}
			found = append(found, *row)
			return nil
		})
		if err != nil {
			return nil, total, err
		}
		total.Add(stats)
	}
	feed, _ := rowsFeed(found)
	return feed, total, nil
}

// holds tells whether a row holds one of the values, of a column of numbers
// that is never NULL.
func holds[T any](v rows.Values) func(*T) bool {
	typ := reflect.TypeFor[T]()
	for i := range typ.NumField() {
		field := typ.Field(i)
		if name := field.Tag.Get("col"); name != strings.TrimSuffix(v.Column, "_lo") && name != v.Column {
			continue
		}
		return func(row *T) bool {
			at := reflect.ValueOf(row).Elem().Field(i)
			if addr, ok := at.Interface().(tables.Addr); ok {
				return slices.Contains(v.Any, addr.Lo)
			}
			return slices.Contains(v.Any, at.Uint())
		}
	}
	panic("no column " + v.Column + " in " + typ.String())
}
