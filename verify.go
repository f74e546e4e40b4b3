package main

import (
	"context"
	"fmt"
	"io"

	"github.com/wiresql/wiresql/tables/archive"
)

func verifyCommand() *command {
	return &command{
		summary: "read every file of the archive and print what is not as it was written; exit code 3 if anything is",
		run:     runVerify,
	}
}

// runVerify prints a line for each file of which something is wrong, then what
// was read.
func runVerify(ctx context.Context, p *program, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q", args[0])
	}
	a, err := archive.Open(p.config.Data, archive.Options{ReadOnly: true}) // what it would log is printed
	if err != nil {
		return err
	}
	defer a.Close()
	v, err := a.Verify(ctx, func(d archive.Damage) { writeDamage(p.stdout, &d) })
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, `row files: %d of %d bytes, %d of them without checksums, %d in no ledger
packet files: %d of %d bytes, %d of them without checksums
captures in place: %d, by size, time and both ends
ledgers: %d
wrong: %d
`, v.Files, v.Bytes, v.Older, v.Unlisted, v.Segments, v.SegmentBytes, v.OlderSegments, v.InPlace, v.Ledgers, v.Wrong)
	if v.Wrong > 0 {
		return exitError(exitDamaged)
	}
	return nil
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
