package engine

import (
	"fmt"
	"strconv"
	"strings"

	"vitess.io/vitess/go/sqltypes"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
)

// binding says what stands in a statement where the archive and Go come in.
type binding struct {
	run     *run
	scans   map[int]string
	packets map[int]string
	keys    string
	// handles are of functions that were published already.
	handles map[string]string
}

func (r *run) newBinding() *binding {
	return &binding{run: r, scans: map[int]string{}, packets: map[int]string{}, handles: map[string]string{}}
}

// Scan implements pushdown.Binding.
func (b *binding) Scan(id int) string {
	if text, ok := b.scans[id]; ok {
		return text
	}
	return fmt.Sprintf("unbound_scan_%d", id) // DuckDB reports it
}

// Packets implements pushdown.Binding.
func (b *binding) Packets(id int) string {
	if text, ok := b.packets[id]; ok {
		return text
	}
	return fmt.Sprintf("unbound_packets_%d", id)
}

// Keys implements pushdown.Binding.
func (b *binding) Keys() string { return b.keys }

// Function implements pushdown.Binding: it makes the function callable until
// the run is finished.
func (b *binding) Function(f *pushdown.Func) string {
	key := fmt.Sprint(f.Says(), f.T, f.T.Collation)
	for _, a := range f.Args {
		t := pushdown.TypeOf(a)
		key += fmt.Sprint(t, t.Collation)
	}
	if functions.Volatile(f.Node) {
		key = fmt.Sprintf("%p", f.Made) // each call for itself
	}
	if h, ok := b.handles[key]; ok {
		return h
	}
	c := &called{run: b.run, made: f.Made, most: b.run.engine.mostText(), volatile: functions.Volatile(f.Node), row: make([]sqltypes.Value, len(f.Args))}
	for i, a := range f.Args {
		if l, ok := a.(*pushdown.Literal); ok {
			c.row[i] = l.SQLValue()
			continue
		}
		c.from = append(c.from, i)
		c.types = append(c.types, pushdown.TypeOf(a))
	}
	d := b.run.engine.duck
	name, _, _ := strings.Cut(f.Shape, "(")
	c.name = strings.ToUpper(strings.TrimSpace(name))
	h := c.name + " #" + strconv.FormatUint(d.handles.Add(1), 10)
	d.called.Store(h, c)
	b.run.called = append(b.run.called, h)
	b.handles[key] = h
	return h
}
