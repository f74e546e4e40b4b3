package compact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

const (
	// resolvedFor is how long an answer names a server at least; longer when
	// its time to live is.
	resolvedFor = tables.Time(3600 * 1e6)
	// resolvedMost is how long at most, whatever the time to live says: it
	// bounds how far back rows are read.
	resolvedMost = 7 * 24 * resolvedFor
	// resolvedSkew: the answer may be stamped after the first packet by
	// another interface's clock.
	resolvedSkew = tables.Time(1e6)
	// resolvedLimit caps the answers kept; later ones are left out.
	resolvedLimit = 4 << 20
)

// resolutions are the names clients resolved, by client and the address they
// got: the name a connection without SNI or Host header was made to.
type resolutions struct {
	by    map[resolvedKey][]resolution
	count int
}

type resolvedKey struct {
	client, server tables.Addr
	site           string
}

type resolution struct {
	ts, until tables.Time
	name      string
}

// resolvedNames reads the DNS rows that can matter to the files' time span.
func resolvedNames(ctx context.Context, cat *archive.Catalog, files []archive.File) (*resolutions, error) {
	r := &resolutions{by: map[resolvedKey][]resolution{}}
	if len(files) == 0 {
		return r, nil
	}
	first, last := files[0].MinTS, files[0].MaxTS
	for _, f := range files {
		first, last = min(first, f.MinTS), max(last, f.MaxTS)
	}
	for _, f := range cat.Files(archive.DNS) {
		if f.MaxTS < first-resolvedMost || f.MinTS > last+resolvedSkew {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := r.read(f); err != nil {
			return nil, err
		}
	}
	for _, list := range r.by {
		sort.SliceStable(list, func(i, j int) bool { return list[i].ts < list[j].ts })
	}
	return r, nil
}

// resolvedColumns are those that add reads.
var resolvedColumns = []string{"ts", "site", "client_hi", "client_lo", "query", "qtype", "answers", "ttl"}

func (r *resolutions) read(f archive.File) error {
	in, err := archive.ReadRows[tables.DNS](f.Path, resolvedColumns...)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Path, err)
	}
	defer in.Close()
	rows := make([]tables.DNS, batchRows)
	for {
		n, err := in.Read(rows)
		for i := range rows[:n] {
			r.add(&rows[i])
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", f.Path, err)
		}
	}
}

func (r *resolutions) add(d *tables.DNS) {
	if d.QType != "A" && d.QType != "AAAA" || d.Query == "" {
		return
	}
	until := d.TS + min(max(resolvedFor, tables.Time(d.TTL.V)*1e6), resolvedMost)
	for _, answer := range strings.Split(d.Answers, ",") {
		a, err := tables.ParseAddr(strings.TrimSpace(answer))
		if err != nil || r.count >= resolvedLimit {
			continue
		}
		key := resolvedKey{d.Client, a, d.Site}
		r.by[key] = append(r.by[key], resolution{d.TS, until, d.Query})
		r.count++
	}
}

// lookup returns the name client had resolved to server at ts, the newest
// answer first, or "".
func (r *resolutions) lookup(client, server tables.Addr, site string, ts tables.Time) string {
	list := r.by[resolvedKey{client, server, site}]
	n := sort.Search(len(list), func(i int) bool { return list[i].ts > ts+resolvedSkew })
	if n == 0 || list[n-1].until < ts {
		return ""
	}
	return list[n-1].name
}
