package tables

// NameLog collects observations of names in the order of their time and keeps
// each DNS answer that only repeats the last one for its address as a longer
// validity of that one. Busy networks say the same thousands of times; Leases
// makes the same of both.
type NameLog struct {
	rows []Name
	last map[nameKey]lastName // newest DNS observation of an address
}

type lastName struct {
	row int32
	ts  Time // of the newest repeat
}

type nameKey struct {
	addr Addr
	site string
}

// Add takes an observation, whose TS must not be before that of the last.
func (l *NameLog) Add(n *Name) {
	if n.Source != SourceDNS {
		l.rows = append(l.rows, *n)
		return
	}
	key := nameKey{n.Addr, n.Site}
	until := max(n.ValidUntil, n.TS+minDNSHold)
	if last, ok := l.last[key]; ok {
		r := &l.rows[last.row]
		same := last.ts == n.TS
		switch {
		case same && n.Name < r.Name:
			return // of one instant the greatest name rules
		case r.Name == n.Name && n.TS <= r.ValidUntil:
			if same {
				until = max(until, r.ValidUntil)
			}
			r.ValidUntil = until // the newest rules, also when it ends sooner
			l.last[key] = lastName{last.row, n.TS}
			return
		}
	}
	if l.last == nil {
		l.last = map[nameKey]lastName{}
	}
	l.last[key] = lastName{int32(len(l.rows)), n.TS}
	row := *n
	row.ValidUntil = until
	l.rows = append(l.rows, row)
}

// Leases are those of the observations so far.
func (l *NameLog) Leases() []Lease { return Leases(l.rows) }

// Len is how many observations are kept.
func (l *NameLog) Len() int { return len(l.rows) }
