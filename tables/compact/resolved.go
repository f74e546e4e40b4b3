package compact

import (
	"context"
	"errors"
	"iter"
	"slices"
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
	// resolvedLimit caps the answers that are known at one time; the oldest
	// go first.
	resolvedLimit = 2 << 20
)

// resolutions are the names clients resolved, by client and the address they
// got: the name a connection without SNI or Host header was made to. They are
// read along with the flow rows, in time order, and forgotten when they no
// longer hold: what is in memory is what holds at one time.
type resolutions struct {
	all   []resolution          // as they came
	by    map[resolvedKey]int32 // the newest of a key: its place in all, from 1
	sieve [sieveWords]uint64    // has a bit of each key: most that is looked up was never resolved
	sweep int                   // how many there are when expired ones are looked for

	next func() ([]tables.DNS, error, bool) // the rows not read yet, some at a time
	stop func()
	rows []tables.DNS // the next of them; none at the end
	err  error
}

const sieveWords = 1 << 16

// hole is a key's bit in the sieve.
func (k *resolvedKey) hole() (word int, bit uint64) {
	h := (k.client.Lo*0x9e3779b97f4a7c15 ^ k.server.Lo ^ k.server.Hi) * 0x9e3779b97f4a7c15
	return int(h >> 48 % sieveWords), 1 << (h >> 40 & 63)
}

type resolvedKey struct {
	client, server tables.Addr
	site           string
}

type resolution struct {
	ts, until tables.Time
	name      string
	of        resolvedKey
	before    int32 // the next older one of the key, as in by
}

// resolvedNames reads the DNS rows that can matter to connections of a time.
// Call stop when done; err says what went wrong with the reading.
func resolvedNames(ctx context.Context, cat *archive.Catalog, first, last tables.Time) *resolutions {
	r := &resolutions{by: map[resolvedKey]int32{}, sweep: 1 << 16}
	var files []archive.File
	for _, f := range cat.Files(archive.DNS) {
		if f.MaxTS >= first-resolvedMost && f.MinTS <= last+resolvedSkew {
			files = append(files, f)
		}
	}
	r.next, r.stop = iter.Pull2(func(yield func([]tables.DNS, error) bool) {
		_, err := mergeRows(ctx, files, func(d *tables.DNS) tables.Time { return d.TS }, func(rows []tables.DNS) error {
			if !yield(rows, nil) {
				return errStopped
			}
			return nil
		}, resolvedColumns...)
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	})
	r.read()
	return r
}

// errStopped ends a merge whose rows nobody wants any more.
var errStopped = errors.New("stopped")

// resolvedColumns are those that add reads.
var resolvedColumns = []string{"ts", "site", "client_hi", "client_lo", "query", "qtype", "answers", "ttl"}

func (r *resolutions) read() {
	rows, err, _ := r.next()
	r.rows, r.err = rows, errors.Join(r.err, err)
}

// advance takes in the answers up to now.
func (r *resolutions) advance(now tables.Time) {
	for len(r.rows) > 0 && r.rows[0].TS <= now+resolvedSkew {
		r.add(&r.rows[0])
		if r.rows = r.rows[1:]; len(r.rows) == 0 {
			r.read()
		}
	}
	if len(r.all) >= r.sweep {
		r.forget(now)
	}
}

// forget drops what no longer holds at now, and of what does the older half
// when it is too much.
func (r *resolutions) forget(now tables.Time) {
	r.drop(func(a resolution) bool { return a.until < now })
	for span := resolvedFor; len(r.all) > resolvedLimit && span > 0; span /= 2 {
		r.drop(func(a resolution) bool { return a.ts < now-span })
	}
	// Looking through all of them pays once in so many new ones.
	r.sweep = max(1<<16, 2*len(r.all))
}

func (r *resolutions) drop(gone func(resolution) bool) {
	left := slices.DeleteFunc(r.all, gone)
	r.all = left[:0]
	clear(r.by)
	clear(r.sieve[:])
	for _, a := range left {
		r.put(a)
	}
}

func (r *resolutions) put(a resolution) {
	word, bit := a.of.hole()
	r.sieve[word] |= bit
	a.before = r.by[a.of]
	r.all = append(r.all, a)
	r.by[a.of] = int32(len(r.all))
}

func (r *resolutions) add(d *tables.DNS) {
	if d.QType != "A" && d.QType != "AAAA" || d.Query == "" || len(d.Query) > tables.MaxHost {
		return
	}
	until := d.TS + min(max(resolvedFor, tables.Time(d.TTL.V)*1e6), resolvedMost)
	for answer := range strings.SplitSeq(d.Answers, ",") {
		a, err := tables.ParseAddr(strings.TrimSpace(answer))
		if err != nil {
			continue
		}
		r.put(resolution{ts: d.TS, until: until, name: d.Query, of: resolvedKey{d.Client, a, d.Site}})
	}
}

// lookup returns the name client had resolved to server at ts, the newest
// answer first, or "". It must be asked in time order.
func (r *resolutions) lookup(client, server tables.Addr, site string, ts tables.Time) string {
	r.advance(ts)
	key := resolvedKey{client, server, site}
	if word, bit := key.hole(); r.sieve[word]&bit == 0 {
		return ""
	}
	for n := r.by[key]; n > 0; n = r.all[n-1].before {
		if a := &r.all[n-1]; a.ts <= ts+resolvedSkew {
			if a.until < ts {
				return ""
			}
			return a.name
		}
	}
	return ""
}
