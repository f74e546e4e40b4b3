package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/wiresql/wiresql/tables/archive"
)

func rootCommand() *command {
	return &command{
		summary:  "have the packets of a disk moved to others, until it can be taken out",
		args:     "retire DIR",
		sections: []string{"retention"},
		flags:    func(*pflag.FlagSet) {},
		run:      runRoot,
	}
}

// runRoot retires a root: new packets go elsewhere from now on, those that are there
// are moved.
func runRoot(ctx context.Context, p *program, args []string) error {
	if len(args) != 2 || args[0] != "retire" {
		return errors.New("say what: retire DIR, a folder that --root named")
	}
	there, err := archive.Open(p.config.Data, archive.Options{ReadOnly: true}) // else it would be made
	if err != nil {
		return err
	}
	there.Close()
	a, err := archive.Open(p.config.Data, archive.Options{Logger: p.log, Retention: &p.config.Retention})
	if err != nil {
		return err
	}
	defer a.Close()
	told, said := time.Now(), ""
	far, err := a.Retire(ctx, args[1], func(r archive.Retired) {
		if r.Waits != said && r.Waits != "" || time.Since(told) > 10*time.Second && r.Waits == "" && !r.Done {
			told, said = time.Now(), r.Waits
			fmt.Fprintf(p.stderr, "%d files of %s moved, %d of %s are left", r.Moved, byteText(r.MovedBytes), r.Left, byteText(r.LeftBytes))
			if r.Waits != "" {
				fmt.Fprintf(p.stderr, "; %s: waiting", r.Waits)
			}
			fmt.Fprintln(p.stderr)
		}
	})
	moved := fmt.Sprintf("%d packet files of %s were moved", far.Moved, byteText(far.MovedBytes))
	switch {
	case far.Done:
		fmt.Fprintf(p.stdout, "%s is no root any more; %s\n", args[1], moved)
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s, %d of %s are left: the same command goes on, and nothing is written to %s meanwhile", moved, far.Left, byteText(far.LeftBytes), args[1])
	case err != nil:
		return err
	}
	fmt.Fprintf(p.stderr, "%s; %d of %s stay in %s, where they can be read: %s. The same command goes on when that has changed\n", moved, far.Left, byteText(far.LeftBytes), args[1], far.Why)
	return exitError(3)
}
