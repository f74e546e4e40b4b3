package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

func verifyCommand() *command {
	return &command{
		summary: "read every file of the archive and print what is not as it was written; exit code 3 if anything is",
		flags: func(f *pflag.FlagSet) {
			f.Bool("json", false, "print JSON: an object for each thing that is wrong, and one of what was read")
			f.Bool("repair", false, "make rows again that are lost, from packets and other rows; exit code 0 if all were")
		},
		run: runVerify,
	}
}

// runVerify prints a line for each file of which something is wrong, then what
// was read.
func runVerify(ctx context.Context, p *program, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q", args[0])
	}
	repair, _ := p.flags.GetBool("repair")
	if _, err := p.dataDirectory(); err != nil {
		return err
	}
	a, err := archive.Open(p.config.Data, archive.Options{ReadOnly: !repair}) // what it would log is printed
	if err != nil {
		return err
	}
	defer a.Close()
	if repair { // nobody else may merge what it puts rows beside
		if err := compact.Lock(a); err != nil {
			return err
		}
	}
	asJSON, _ := p.flags.GetBool("json")
	tell, sum := writeDamage, writeVerified
	if asJSON {
		tell, sum = jsonDamage, jsonVerified
	}
	var found []archive.Damage
	v, err := a.Verify(ctx, func(d archive.Damage) {
		tell(p.stdout, &d)
		found = append(found, d)
	})
	if err != nil {
		return err
	}
	sum(p.stdout, &v)
	left := v.Wrong
	if repair {
		if left, err = repairRows(ctx, a, found, func(d *archive.Damage, err error) {
			if asJSON {
				jsonRepair(p.stdout, d, err)
			} else {
				writeRepair(p.stdout, d, err)
			}
		}); err != nil {
			return err
		}
		if !asJSON {
			fmt.Fprintf(p.stdout, "repaired: %d\nnot repaired: %d\n", v.Wrong-left, left)
		}
	}
	if left > 0 {
		return exitError(exitDamaged)
	}
	return nil
}

func writeVerified(w io.Writer, v *archive.Verified) {
	fmt.Fprintf(w, `row files: %d of %d bytes, %d of them without checksums, %d in no ledger
packet files: %d of %d bytes, %d of them without checksums
captures in place: %d, %d without checksums
ledgers: %d
wrong: %d
`, v.Files, v.Bytes, v.Older, v.Unlisted, v.Segments, v.SegmentBytes, v.OlderSegments, v.InPlace, v.OlderInPlace, v.Ledgers, v.Wrong)
}

// jsonDamage prints what is wrong with a file as an object. What is not known is
// null.
func jsonDamage(w io.Writer, d *archive.Damage) {
	out := struct {
		Family *string `json:"family"`
		File   *string `json:"file"` // relative to the archive
		Reason string  `json:"reason"`
		From   *string `json:"from"`
		To     *string `json:"to"`
		Rows   *int64  `json:"rows"`
		Stray  bool    `json:"nothing_is_missing"`
	}{Reason: d.Reason, Stray: d.Stray}
	if d.Family != "" {
		out.Family = (*string)(&d.Family)
	}
	if d.File != "" {
		out.File = &d.File
	}
	if d.Times() {
		from, to := clock(d.From), clock(d.To)
		out.From, out.To = &from, &to
	}
	if d.Rows >= 0 {
		out.Rows = &d.Rows
	}
	writeObject(w, out)
}

func jsonVerified(w io.Writer, v *archive.Verified) { writeObject(w, v) }

func writeObject(w io.Writer, v any) {
	_ = json.NewEncoder(w).Encode(v) // of plain values; who closed the output reads no more
}

// writeDamage prints what is wrong with a file: its family, its path within the
// archive, where in it, and why.
func writeDamage(w io.Writer, d *archive.Damage) {
	line := d.Reason
	if d.File != "" {
		line = d.File + ": " + line
	}
	if d.Family != "" {
		line = string(d.Family) + " " + line
	}
	switch {
	case d.Stray:
		line += " (nothing is missing by that)"
	case d.Rows >= 0:
		line += fmt.Sprintf(" (of %d rows)", d.Rows)
	}
	fmt.Fprintln(w, line)
}
