package standing

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// Answer is what a hunt found.
type Answer struct {
	Title, Severity string
	// Key names the columns that tell its findings apart; none for all that are
	// texts, and ports.
	Key       []string
	Columns   []Column
	Rows      [][]*string // as texts, nil for NULL; times in UTC
	Truncated bool        // there were more
	Warnings  []string
}

// Column is one of an answer's; Number tells that its texts are numbers.
type Column struct {
	Name   string
	Number bool
}

const (
	// maxText is what is kept of a text of a row, in bytes, maxRow of a row and
	// maxKey of its key: as many as their columns hold.
	maxText = 2 << 10
	maxRow  = 10 << 10
	maxKey  = 4 << 10
	// MostRows are the most a run can be told to keep.
	MostRows = 10_000
	// runBytes is what all of a run may take.
	runBytes = 16 << 20
)

// Where a row says of when it is, best first.
var (
	firstColumns = []string{"first_seen", "ts", "minutes", "minute", "hour"}
	lastColumns  = []string{"last_seen", "ts_end"}
)

// keyColumns finds the columns that tell findings apart.
func (a *Answer) keyColumns() (key []int, err error) {
	for i, c := range a.Columns {
		if slices.Contains(a.Key, c.Name) || len(a.Key) == 0 && (!c.Number || strings.HasSuffix(c.Name, "port")) &&
			!slices.Contains(firstColumns, c.Name) && !slices.Contains(lastColumns, c.Name) {
			key = append(key, i)
		}
	}
	if len(key) == 0 || len(a.Key) > len(key) {
		return nil, fmt.Errorf("the hunt's key names a column that its rows lack: %s", strings.Join(a.Key, ", "))
	}
	return key, nil
}

// time is what the first of some columns says that has a time.
func (a *Answer) time(row []*string, names []string) (at tables.Time, ok bool) {
	for _, name := range names {
		for i, c := range a.Columns {
			if c.Name != name || row[i] == nil {
				continue
			}
			if t, err := time.Parse("2006-01-02 15:04:05.999999", *row[i]); err == nil {
				return tables.Time(t.UnixMicro()), true
			}
		}
	}
	return 0, false
}

// object writes columns of a row as a JSON object, in their order, of most bytes: long
// texts are cut, for what JSON escapes is six times as long, and whoever is hunted has
// a say in what texts say.
func (a *Answer) object(row []*string, columns []int, most int) (b json.RawMessage) {
	for text := maxText; text > 0; text /= 2 {
		if b = a.cutObject(row, columns, text); len(b) <= most {
			break
		}
	}
	return b
}

// cutObject is object with at most so many bytes of each text.
func (a *Answer) cutObject(row []*string, columns []int, most int) json.RawMessage {
	b := []byte{'{'}
	for n, i := range columns {
		if n > 0 {
			b = append(b, ',')
		}
		name, _ := json.Marshal(a.Columns[i].Name)
		b = append(append(b, name...), ':')
		switch v := row[i]; {
		case v == nil:
			b = append(b, "null"...)
		case a.Columns[i].Number && json.Valid([]byte(*v)):
			b = append(b, *v...)
		default:
			text := *v
			if len(text) > most {
				text = text[:most] + "…"
			}
			value, _ := json.Marshal(strings.ToValidUTF8(text, ""))
			b = append(b, value...)
		}
	}
	return append(b, '}')
}

// findings makes an answer's rows the findings of a schedule, one for each key.
func (a *Answer) findings(s *Schedule, to, now tables.Time) (list []*Finding, err error) {
	key, err := a.keyColumns()
	if err != nil {
		return nil, err
	}
	all := make([]int, len(a.Columns))
	for i := range all {
		all[i] = i
	}
	byID := map[string]*Finding{}
	bytes := int64(0)
	for _, row := range a.Rows {
		sum := sha256.New()
		write := func(text string) { fmt.Fprintf(sum, "%d:%s,", len(text), text) }
		write(s.Name)
		write(s.Hunt)
		for _, i := range key {
			if row[i] == nil {
				write("\x00")
			} else {
				write(*row[i])
			}
		}
		f := &Finding{ID: hex.EncodeToString(sum.Sum(nil)[:12]), Schedule: s.Name, Hunt: s.Hunt, Severity: a.Severity, Title: a.Title,
			Key: a.object(row, key, maxKey), Row: a.object(row, all, maxRow), First: to, Last: to, Found: now, Times: 1}
		if len(f.Row) > maxRow {
			f.Row = f.Key
		}
		if len(f.Key) > maxKey {
			return nil, fmt.Errorf("the key of a row has more than %d bytes however its texts are cut", maxKey)
		}
		if at, ok := a.time(row, firstColumns); ok {
			f.First, f.Last = at, at
		}
		if at, ok := a.time(row, lastColumns); ok {
			f.Last = max(at, f.First)
		}
		if same := byID[f.ID]; same != nil { // the latest row says how it is
			if f.First = min(f.First, same.First); f.Last < same.Last {
				same.First = f.First
			} else {
				*same = *f
			}
			continue
		}
		if bytes += f.size(); bytes > runBytes {
			a.Truncated = true
			break
		}
		byID[f.ID] = f
		list = append(list, f)
	}
	return list, nil
}

// after is a finding after it was found again; changed is false when that is nothing
// new.
func (f *Finding) after(old *Finding) (changed bool) {
	f.Times, f.Found, f.Case = old.Times, old.Found, old.Case
	if f.Last > old.Last {
		f.Times++
	}
	changed = f.Last > old.Last || f.First < old.First || string(f.Row) != string(old.Row)
	f.First, f.Last = min(f.First, old.First), max(f.Last, old.Last)
	return changed
}
