package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

// repairRows makes the rows of files again that are gone or damaged, as far as they
// follow from what is there: metered ones from packets, then connections from flow
// rows, then what moved from connections. It tells what became of each, and returns how many things stay wrong.
func repairRows(ctx context.Context, a *archive.Archive, found []archive.Damage, tell func(*archive.Damage, error)) (left int64, err error) {
	var metered, settled, counted []archive.File
	for i := range found {
		switch f, ok := found[i].Lost(); {
		case !ok:
		case capture.FromPackets(f.Family):
			metered = append(metered, f)
		case f.Family == archive.Connections:
			settled = append(settled, f)
		case f.Family == archive.Traffic || f.Family == archive.TrafficHour:
			counted = append(counted, f)
		}
	}
	done, err := capture.Rebuild(ctx, a, metered)
	if err != nil {
		return 0, err
	}
	a.Refresh()
	more, err := compact.Resettle(ctx, a, settled)
	if err != nil {
		return 0, err
	}
	a.Refresh()
	moved, err := compact.Recount(ctx, a, counted)
	if err != nil {
		return 0, err
	}
	done = slices.Concat(done, more, moved)
	for i := range found {
		d := &found[i]
		err := errors.New(whyLost(d))
		if f, ok := d.Lost(); ok {
			if i := slices.IndexFunc(done, func(l *archive.LostRange) bool { return l.Has(&f) }); i >= 0 {
				err = done[i].Err
			}
		}
		if err != nil {
			left++
		}
		tell(d, err)
	}
	return left, nil
}

// whyLost says why something can't be made again.
func whyLost(d *archive.Damage) string {
	family := tables.FamilyNamed(string(d.Family))
	switch {
	case d.Stray:
		return "no rows are known to be missing"
	case d.File == "" && family != nil:
		return "which files these were is not known"
	case family == nil && d.Family != "":
		return "packets are nowhere else: import the capture into another archive, if you still have it"
	case family == nil:
		return "its writer begins it anew in time"
	case family.Writer == tables.Collector:
		return "what exporters sent is nowhere else"
	case family.Writer == tables.Compactor:
		return "what was decided does not follow from rows that are there"
	}
	return "what it said is nowhere else"
}

// writeRepair prints what became of a thing that is wrong.
func writeRepair(w io.Writer, d *archive.Damage, err error) {
	name := d.File
	if name == "" {
		name = d.Reason
	}
	if err != nil {
		fmt.Fprintf(w, "not repaired: %s: %v\n", name, err)
		return
	}
	fmt.Fprintf(w, "repaired: %s\n", name)
}

func jsonRepair(w io.Writer, d *archive.Damage, err error) {
	out := struct {
		File     string `json:"file"`
		Repaired bool   `json:"repaired"`
		Why      string `json:"why,omitempty"`
	}{File: d.File, Repaired: err == nil}
	if err != nil {
		out.Why = err.Error()
	}
	writeObject(w, out)
}
