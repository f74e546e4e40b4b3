package archive

import (
	"time"

	"github.com/wiresql/wiresql/tables"
)

// Kept is how much there is of packets or of a family of rows, how fast it grows,
// and what its budgets mean at that rate.
type Kept struct {
	Family string      `json:"family"` // "packets", or of rows
	Files  int         `json:"files"`
	Bytes  int64       `json:"bytes"`
	Oldest tables.Time `json:"oldest"` // time of the first packet or row
	// Limit is how many bytes there may be, 0 without a limit; Age is after how
	// long they go, in seconds, 0 for never.
	Limit int64   `json:"budget_bytes"`
	Age   float64 `json:"budget_age_seconds"`
	// Rate is bytes a second, of the last day; 0 when nothing came.
	Rate float64 `json:"bytes_per_second"`
	// Keeps is how long what comes at this rate stays, in seconds, and In when
	// the first of it goes; negative: it stays, or the rate is not known.
	Keeps float64 `json:"keeps_seconds"`
	In    float64 `json:"evicts_in_seconds"`
}

// rateOver is the time of which a rate is the mean.
const rateOver = tables.Time(24 * 3600 * 1e6)

// leastRate is less than a rate can be told from: a moment is no rate.
const leastRate = tables.Time(10 * 1e6)

// Kept says of packets, and of each family that may be evicted and has files, what
// there is and what budgets leave of it. What was imported counts for neither age
// nor rate.
func (a *Archive) Kept(r *Retention) ([]Kept, error) {
	c, err := a.Catalog()
	if err != nil {
		return nil, err
	}
	disks, err := a.volumes(r, 0, 0)
	if err != nil {
		return nil, err
	}
	return c.kept(r, disks), nil
}

func (c *Catalog) kept(r *Retention, disks []volume) []Kept {
	taken := map[int]int64{}
	at := now()
	var out []Kept
	var first []tables.Time // arrival of each one's first
	var lately []float64
	count := func(k *Kept, since *tables.Time, recent *float64, bytes int64, ts, came, until tables.Time, imported bool) {
		k.Files++
		k.Bytes += bytes
		if k.Oldest == 0 || ts < k.Oldest {
			k.Oldest = ts
		}
		if imported {
			return
		}
		*since = min(*since, came)
		if span, within := until-came, until-max(came, at-rateOver); within >= 0 && until >= at-rateOver {
			*recent += float64(bytes) * float64(within+1) / float64(span+1)
		}
	}
	k, since, recent := Kept{Family: packets}, at, 0.0
	for i := range c.segments {
		s := &c.segments[i]
		if n, _ := rootOf(s.Path); !s.InPlace && s.State == StateAvailable {
			taken[n] += s.Bytes
		}
		switch {
		case s.InPlace || s.State != StateAvailable:
		case s.Open:
			count(&k, &since, &recent, s.Bytes, s.TS.V, min(s.TS.V, at), at, false)
		default:
			o := s.rows.Origin
			count(&k, &since, &recent, s.Bytes, s.TS.V, o.First, o.Last, o.Writer == tables.Importer)
		}
	}
	out, first, lately = append(out, k), append(first, since), append(lately, recent)
	for _, f := range tables.Families {
		family := Family(f.Name)
		k, since, recent := Kept{Family: f.Name}, at, 0.0
		files := c.Files(family)
		if f.Kept || f.Of != "" {
			files = nil
		}
		for i := range files {
			count(&k, &since, &recent, files[i].Bytes, files[i].MinTS, files[i].Origin.First, files[i].Origin.Last, c.imported(&files[i]))
		}
		if k.Files > 0 {
			out, first, lately = append(out, k), append(first, since), append(lately, recent)
		}
	}
	room := int64(0)
	for i := range disks {
		if v := &disks[i]; v.takes {
			room += v.most(r, taken, c)
		} else {
			room += v.of(taken)
		}
	}
	for i := range out {
		k, b := &out[i], r.of(Family(out[i].Family))
		if k.Limit, k.Age = b.bytes, b.age.Seconds(); k.Family == packets {
			k.Limit = least(k.Limit, room)
		}
		k.Keeps, k.In = -1, -1
		if span := min(at-first[i], rateOver); span >= leastRate {
			k.Rate = lately[i] / (float64(span) / 1e6)
		}
		if k.Age > 0 && first[i] < at {
			k.Keeps, k.In = k.Age, max(0, k.Age-time.Duration((at-first[i])*1000).Seconds())
		}
		if k.Limit > 0 && k.Rate > 0 {
			if keeps := float64(k.Limit) / k.Rate; k.Keeps < 0 || keeps < k.Keeps {
				k.Keeps = keeps
			}
			if in := float64(max(0, k.Limit-k.Bytes)) / k.Rate; k.In < 0 || in < k.In {
				k.In = in
			}
		}
	}
	return out
}

// least is the smaller of two limits, of which 0 is none.
func least(a, b int64) int64 {
	if a <= 0 || b > 0 && b < a {
		return max(b, 0)
	}
	return a
}

// Evictions counts what was evicted, by family and reason, as far as ops.evictions
// knows.
func (c *Catalog) Evictions() []EvictionCount {
	by := map[[2]string]*EvictionCount{}
	var out []*EvictionCount
	add := func(e *tables.Eviction) {
		k := [2]string{e.Family, e.Reason}
		if by[k] == nil {
			by[k] = &EvictionCount{Family: e.Family, Reason: e.Reason}
			out = append(out, by[k])
		}
		by[k].Files++
		by[k].Bytes += e.Bytes
	}
	for _, f := range tables.Families {
		for i := range c.evicted[Family(f.Name)] {
			add(&c.evicted[Family(f.Name)][i].Eviction)
		}
	}
	for i := range c.segments {
		if e := c.segments[i].Evicted; e != nil {
			add(e)
		}
	}
	list := make([]EvictionCount, len(out))
	for i, e := range out {
		list[i] = *e
	}
	return list
}

// EvictionCount is how much of a family was evicted for a reason.
type EvictionCount struct {
	Family, Reason string
	Files, Bytes   int64
}
