package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/sqlserver/output"
)

func exportCommand() *command {
	return &command{
		summary:  "write the packets a statement names to a capture file",
		args:     "--pcap FILE \"SELECT … conn_id …\"",
		sections: []string{"engine"},
		flags: func(f *pflag.FlagSet) {
			f.String("pcap", "", "the capture file to write (pcapng); it must not exist")
			f.Bool("json", false, "say what was written as JSON")
		},
		run: runExport,
	}
}

// exported is what the command says it wrote.
type exported struct {
	*engine.Evidence
	File   string `json:"file"`
	SHA256 string `json:"file_sha256"`
}

func runExport(ctx context.Context, p *program, args []string) (err error) {
	path, _ := p.flags.GetString("pcap")
	asJSON, _ := p.flags.GetBool("json")
	if len(args) != 1 || path == "" {
		return errors.New("give a file with --pcap, and one statement, in quotes")
	}
	e, closeAll, err := p.openEngine(p.log)
	if err != nil {
		return err
	}
	defer closeAll()
	done, err := export(ctx, e.NewSession(), args[0], path)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(p.stdout).Encode(done)
	}
	fmt.Fprintln(p.stdout, done)
	for _, m := range done.Missing {
		fmt.Fprintf(p.stderr, "warning: %s\n", output.Visible(m))
	}
	return nil
}

// String says what was written.
func (d *exported) String() string {
	return fmt.Sprintf("%s: %d packets, %d bytes of them\nSHA-256 %s", d.File, d.Packets, d.Bytes, d.SHA256)
}

// export writes the packets of a statement's rows to a new file.
func export(ctx context.Context, s *engine.Session, statement, path string) (*exported, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s is there already: evidence is not overwritten", path)
	}
	var files []*os.File
	defer func() {
		for _, f := range files {
			f.Close()
			_ = os.Remove(f.Name()) // but for what was given its name
		}
	}()
	evidence, err := s.Export(ctx, statement, func() (engine.Spool, error) {
		f, err := os.OpenFile(fmt.Sprintf("%s.part%d", path, len(files)), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err == nil {
			files = append(files, f)
		}
		return f, err
	})
	if err != nil {
		return nil, err
	}
	last := files[len(files)-1]
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(last, 0, 1<<62)); err != nil {
		return nil, err
	}
	if err := last.Sync(); err != nil {
		return nil, err
	}
	// A link, unlike a rename, never replaces what has come there since.
	if err := os.Link(last.Name(), path); err != nil {
		return nil, err
	}
	return &exported{evidence, path, fmt.Sprintf("%x", h.Sum(nil))}, nil
}
