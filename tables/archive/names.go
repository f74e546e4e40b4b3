package archive

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// Family names a kind of rows; its files lie under the folder of that name.
type Family string

// The families; see tables.Families.
const (
	Flows       Family = "flows"
	Connections Family = "connections"
	Traffic     Family = "traffic_1m"
	TrafficHour Family = "traffic_1h"
	Other       Family = "other"
	DNS         Family = "dns"
	DNSAnswers  Family = "dns_answers"
	Names       Family = "names"
	TLS         Family = "tls"
	HTTP        Family = "http"
	Logins      Family = "logins"
	FileAccess  Family = "files"
	RPC         Family = "rpc"
	Mail        Family = "mail"
	ARP         Family = "arp"
	ICMP        Family = "icmp"
	DHCP        Family = "dhcp"
	Oddities    Family = "oddities"
	Rates       Family = "rates"
	Imports     Family = "imports"
	Segments    Family = "segments"
	Coverage    Family = "coverage"
	Evictions   Family = "evictions"
	Exports     Family = "exports"
	Exporters   Family = "exporters"
	Sockets     Family = "sockets"
	Carried     Family = "carried"
	Assigned    Family = "assigned"
	Joined      Family = "joined"
	Replaced    Family = "replaced"
)

// Packets is what damage of files of packets is of, which are no rows.
const Packets Family = packets

var allFamilies = func() (all []Family) {
	for _, f := range tables.Families {
		all = append(all, Family(f.Name))
	}
	return all
}()

// schemaVersion stands in every file's name; it grows when a column of
// tables/rows.go becomes another one, so that no program misreads it. Added
// columns need no new version: older programs don't ask for them, and where an
// older file lacks them File.Columns says so. Files written today have all
// columns of their family, exports aside: DuckDB reads a list of equal files
// 1.5 times faster than one it has to unite by name, and a column of NULLs costs
// 100 bytes a row group.
const schemaVersion = 1

// File is one live Parquet file of a family. All but Path, Rows, Bytes and
// Columns stands in its name.
type File struct {
	rows.File
	Family Family
	// Schema is the version of the family's list of columns.
	Schema int
	// Writer and Lane name the sequence First and Last count in; Level is
	// how often its rows were merged, a letter: see levels.
	Writer, Lane, Level string
	First, Last         uint64
	// Revision counts how often decisions about a range were written anew; once
	// also its rows.
	Revision int
}

// RowFiles are the files as package rows takes them.
func RowFiles(files []File) []rows.File {
	out := make([]rows.File, len(files))
	for i := range files {
		out[i] = files[i].File
	}
	return out
}

// levels in the order of their merges: snapshot, micro, epoch, ten minutes,
// hour, day. An import writes epoch files.
const levels = "smethd"

// NamesMerged tells whether a text names files that are merged within the day: what
// is kept of such a file is soon of none. Those of an import that names no sensor
// are merged by itself, if at all, and last.
func NamesMerged(text string) bool {
	for _, level := range levels[:levelRank("h")] {
		of := "-" + string(level) + "-0" // a number of ten digits
		if n := strings.Count(text, of); n > 0 && n > strings.Count(text, "-import-main"+of) {
			return true
		}
	}
	return false
}

// passing tells whether the file is of rows that are not over: the next batch of
// their writer has them anew, and a crash of the machine may take them, for they
// can be metered again. What a log says of itself is not.
func (f *File) passing() bool { return f.Level == "s" && f.Family != Coverage }

func levelRank(level string) int {
	if len(level) != 1 {
		return -1
	}
	return strings.IndexByte(levels, level[0])
}

// name returns the file's name without the suffix of an uncommitted batch.
func (f *File) name() string {
	level := f.Level
	if f.Revision > 0 {
		level += strconv.Itoa(f.Revision)
	}
	return fmt.Sprintf("%s-v%d-%s-%s-%s-%010d-%010d-%016x-%016x.parquet",
		f.Family, f.Schema, f.Writer, f.Lane, level, f.First, f.Last, uint64(f.MinTS), uint64(f.MaxTS))
}

// batchMark stands between a file's name and the id of its batch.
const batchMark = ".parquet.i"

// parseName reads a file's name; batch is "" for a name without one.
func parseName(family Family, name string) (f File, batch string, ok bool) {
	base, found := strings.CutSuffix(name, ".parquet")
	if !found {
		var id string
		if base, id, found = strings.Cut(name, batchMark); !found || !validID(id) {
			return f, "", false
		}
		batch = id
	}
	p := strings.Split(base, "-")
	if len(p) != 9 || p[0] != string(family) || len(p[1]) < 2 || p[1][0] != 'v' ||
		!validLabel(p[2]) || !validLabel(p[3]) || p[4] == "" || levelRank(p[4][:1]) < 0 ||
		len(p[5]) != 10 || len(p[6]) != 10 || len(p[7]) != 16 || len(p[8]) != 16 {
		return f, "", false
	}
	f = File{Family: family, Writer: p[2], Lane: p[3], Level: p[4][:1]}
	if text := p[4][1:]; text != "" {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != text {
			return f, "", false
		}
		f.Revision = int(n)
	}
	var err [5]error
	var lo, hi uint64
	f.Schema, err[0] = strconv.Atoi(p[1][1:])
	f.First, err[1] = strconv.ParseUint(p[5], 10, 64)
	f.Last, err[2] = strconv.ParseUint(p[6], 10, 64)
	lo, err[3] = strconv.ParseUint(p[7], 16, 64)
	hi, err[4] = strconv.ParseUint(p[8], 16, 64)
	f.MinTS, f.MaxTS = tables.Time(lo), tables.Time(hi)
	for _, e := range err {
		if e != nil {
			return f, "", false
		}
	}
	return f, batch, f.First <= f.Last && f.Schema > 0
}

// validLabel tells whether s may be a writer's or lane's name: it must not
// hold the names' separators.
func validLabel(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// validID tells whether s is the id of a batch: 16 hex digits.
func validID(s string) bool {
	return len(s) == 16 && strings.Trim(s, "0123456789abcdef") == ""
}

// sequence names the counter a file's First and Last belong to.
type sequence struct {
	family       Family
	writer, lane string
}

func (f *File) sequence() sequence { return sequence{f.Family, f.Writer, f.Lane} }

// of is the family whose rows a family of decisions is about; "" for others.
func (f Family) of() Family {
	if known := tables.FamilyNamed(string(f)); known != nil {
		return Family(known.Of)
	}
	return ""
}

// Range names what the file stands for: one range of a sequence at one level. The
// files of one merge may be several of one range, and decisions about them are
// of their range too.
func (f *File) Range() string {
	family := cmp.Or(f.Family.of(), f.Family)
	return fmt.Sprintf("%s-%s-%s-%s-%d-%d", family, f.Writer, f.Lane, f.Level, f.First, f.Last)
}

// supersedes tells whether f makes g obsolete: same sequence, f's range covers
// g's, and f was merged more often, covers more or is a later revision. Files of
// one level, range and revision stand side by side: a merge may write several.
func (f *File) supersedes(g *File) bool {
	if f.sequence() != g.sequence() || f.First > g.First || f.Last < g.Last {
		return false
	}
	a, b := levelRank(f.Level), levelRank(g.Level)
	return a > b || a == b && (f.First < g.First || f.Last > g.Last || f.Revision > g.Revision)
}

// listed is a file as a folder shows it; batch is the id its name still bears,
// base its name without one.
type listed struct {
	File
	batch, base string
	foot        *footer // once it was read
}

// split sorts files into those that are live and those another one
// supersedes. A file listed under two names counts once, under the lasting
// one.
func split(files []*listed) (live, dead []*listed) {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b *listed) int {
		if c := cmp.Compare(a.Family, b.Family); c != 0 {
			return c
		}
		if c := cmp.Compare(a.Writer, b.Writer); c != 0 {
			return c
		}
		if c := cmp.Compare(a.Lane, b.Lane); c != 0 {
			return c
		}
		if a.First != b.First {
			return cmp.Compare(a.First, b.First)
		}
		return cmp.Or(cmp.Compare(b.Last, a.Last), cmp.Compare(levelRank(b.Level), levelRank(a.Level)),
			cmp.Compare(b.Revision, a.Revision), cmp.Compare(a.base, b.base), cmp.Compare(a.batch, b.batch))
	})
	files = slices.CompactFunc(files, func(a, b *listed) bool { return a.base == b.base })
	live = make([]*listed, 0, len(files))
	// In this order whatever supersedes a file comes before it, and of one
	// level only the file reaching furthest can.
	var widest [len(levels)]*File
	for i, f := range files {
		if i == 0 || files[i-1].sequence() != f.sequence() {
			widest = [len(levels)]*File{}
		}
		obsolete := false
		for _, w := range widest {
			obsolete = obsolete || w != nil && w.supersedes(&f.File)
		}
		if obsolete {
			dead = append(dead, f)
		} else {
			live = append(live, f)
		}
		if w := &widest[levelRank(f.Level)]; *w == nil || (*w).Last < f.Last {
			*w = &f.File
		}
	}
	return live, dead
}
