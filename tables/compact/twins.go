package compact

import (
	"context"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact/settle"
)

// twins tell which metered rows may belong to what others saw: exporters, or
// other sensors of their site. All other rows go their short way.
type twins struct {
	exported []uint64 // cids of exporters' conversations, ascending
	// seen has by the hash of a cid which sensor saw it, or that several did. It
	// may say so of one that others share the place of, never the reverse; nil
	// where no site has several sensors.
	seen    []uint16
	sensors map[string]uint16 // by name and site, from 1 on
	shared  int               // places that several saw
}

// count is about how many cids there may be that others saw, too.
func (t *twins) count() int { return len(t.exported) + t.shared }

const (
	seenMost  = 1 << 24 // places
	seenLeast = 1 << 12
	several   = 1<<16 - 1
)

// findTwins looks at what is stored near the time of files of flow rows, and at
// their own rows if their sites have several sensors.
func findTwins(ctx context.Context, cat *archive.Catalog, files []archive.File, from, to tables.Time) (*twins, error) {
	t := &twins{sensors: map[string]uint16{}}
	var err error
	if t.exported, err = exportedCIDs(ctx, cat, from, to); err != nil || !SeveralSensors(cat) {
		return t, err
	}
	var stored []archive.File
	from, to = from-sensorReach, to+sensorReach
	for _, f := range cat.Files(archive.Connections) {
		if f.MinTS <= to && f.MaxTS >= from {
			stored = append(stored, f)
		}
	}
	count := int64(0)
	for _, f := range slices.Concat(files, stored) {
		count += f.Rows
	}
	size := seenLeast
	for size < seenMost && int64(size) < 8*count {
		size *= 2
	}
	t.seen = make([]uint16, size)
	for _, f := range files {
		if err := each(ctx, f, func(f *tables.Flow) { t.add(f.CID, f.Sensor, f.Site) }, "cid", "sensor", "site"); err != nil {
			return nil, err
		}
	}
	for _, f := range stored {
		if err := each(ctx, f, func(r *tables.Connection) {
			if r.TS <= to && r.TSEnd >= from && r.Visibility != "" {
				t.add(r.CID, r.SeenBy, r.Site)
			}
		}, "ts", "ts_end", "site", "visibility", "seen_by", "cid"); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// sensorReach is how far from each other what sensors saw of a conversation may
// lie: the longest silence in it.
const sensorReach = settle.IdleTCP + settle.Slack

// SeveralSensors tells whether some site has several, which may see the same packets.
func SeveralSensors(cat *archive.Catalog) bool {
	of := map[string]string{}
	list := cat.Segments()
	for i := range list {
		s := &list[i]
		if i > 0 && s.Sensor == list[i-1].Sensor && s.Site == list[i-1].Site {
			continue
		}
		if one, ok := of[s.Site]; ok && one != s.Sensor {
			return true
		}
		of[s.Site] = s.Sensor
	}
	return false
}

// add notes that a sensor saw a cid; of several, separated by commas, that they did.
func (t *twins) add(cid uint64, sensor, site string) {
	at := &t.seen[t.place(cid)]
	if *at == several {
		return
	}
	key := sensor + "\x00" + site
	n, ok := t.sensors[key]
	if !ok {
		if n = uint16(len(t.sensors) + 1); len(t.sensors) >= several-1 || strings.Contains(sensor, ",") {
			n = several
		}
		t.sensors[key] = n
	}
	if *at != 0 && *at != n {
		n = several
	}
	if *at = n; n == several {
		t.shared++
	}
}

func (t *twins) place(cid uint64) int { return int(cid*0x9e3779b97f4a7c15>>32) & (len(t.seen) - 1) }

// may tells whether others may have seen rows of a cid, too.
func (t *twins) may(cid uint64) bool {
	if t.seen != nil && t.seen[t.place(cid)] == several {
		return true
	}
	if len(t.exported) == 0 {
		return false
	}
	_, found := slices.BinarySearch(t.exported, cid)
	return found
}

// exportedCIDs lists the cids of settled exporters' conversations that metered
// rows of a time may belong to, ascending. Without exporters in that time, which
// is usual, it reads nothing.
func exportedCIDs(ctx context.Context, cat *archive.Catalog, from, to tables.Time) (cids []uint64, err error) {
	from, to = from-settle.Skew-settle.Slack, to+settle.Skew+settle.Slack
	add := func(cid uint64, first, last tables.Time) {
		if first <= to && last >= from {
			cids = append(cids, cid)
		}
	}
	for _, f := range cat.Files(archive.Carried) {
		if err := each(ctx, f, func(c *tables.Carried) { add(c.CID, c.TS, c.TSEnd) }, "ts", "ts_end", "cid"); err != nil {
			return nil, err
		}
	}
	near := func(f archive.File) bool { return f.MinTS <= to && f.MaxTS >= from }
	if slices.ContainsFunc(cat.Files(archive.Exports), func(f archive.File) bool { return !unsettled(f) && near(f) }) {
		for _, f := range cat.Files(archive.Connections) {
			if !near(f) {
				continue
			}
			if err := each(ctx, f, func(r *tables.Connection) {
				if r.Visibility == "" || strings.Contains(r.SeenBy, ",") {
					add(r.CID, r.TS, r.TSEnd)
				}
			}, "ts", "ts_end", "visibility", "seen_by", "cid"); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(cids)
	return slices.Compact(cids), nil
}
