package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/sqlserver/output"
)

func exportCommand() *command {
	return &command{
		summary:  "write the packets a statement names to a capture file, or the files it names",
		args:     "--pcap FILE \"SELECT … conn_id …\" | --files DIR \"SELECT … file_id …\"",
		sections: []string{"engine"},
		flags: func(f *pflag.FlagSet) {
			f.String("pcap", "", "the capture file to write (pcapng); it must not exist")
			f.String("files", "", "the folder to write files to that passed over the network, with a list of them, files.json; it must not exist")
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
	dir, _ := p.flags.GetString("files")
	asJSON, _ := p.flags.GetBool("json")
	if len(args) != 1 || (path == "") == (dir == "") {
		return errors.New("give a file with --pcap or a folder with --files, and one statement, in quotes")
	}
	e, closeAll, err := p.openEngine(p.log)
	if err != nil {
		return err
	}
	defer closeAll()
	if dir != "" {
		return p.exportFiles(ctx, e.NewSession(), args[0], dir, asJSON)
	}
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

// exportedFiles is what the command says it wrote.
type exportedFiles struct {
	Statement string         `json:"statement"`
	Files     []*engine.File `json:"files"`
	Missing   []string       `json:"missing,omitempty"`
}

// exportFiles writes the files that a statement's rows name to a new folder, and what is known
// of them beside. Nobody may execute one, and their names are what is left of their own.
func (p *program) exportFiles(ctx context.Context, s *engine.Session, statement, dir string, asJSON bool) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("evidence goes to a new folder: %w", err)
	}
	done := exportedFiles{Statement: statement, Files: []*engine.File{}}
	partial := 0
	var err error
	done.Missing, err = s.ExportFiles(ctx, statement, func(f *engine.File, data []byte) error {
		done.Files = append(done.Files, f)
		if len(f.Lacks) > 0 {
			partial++
		}
		if f.SHA256 == "" {
			return nil
		}
		name := f.ID
		if f.Name != nil {
			name += "-" + plainFileName(*f.Name)
		}
		if len(f.Lacks) > 0 {
			name += ".partial"
		}
		f.Path = filepath.Join(dir, name)
		return newFile(f.Path, data)
	})
	if err != nil {
		return err
	}
	list, err := json.MarshalIndent(done, "", "  ")
	if err != nil {
		return err
	}
	if err := newFile(filepath.Join(dir, "files.json"), append(list, '\n')); err != nil {
		return err
	}
	if asJSON {
		_, err := p.stdout.Write(append(list, '\n'))
		return err
	}
	for _, f := range done.Files {
		fmt.Fprintf(p.stdout, "%s: %d bytes\nSHA-256 %s\n", cmp.Or(f.Path, f.ID), f.Bytes, cmp.Or(f.SHA256, "of nothing"))
		for _, l := range f.Lacks {
			fmt.Fprintf(p.stderr, "warning: %s is not whole: %s\n", f.ID, output.Visible(l))
		}
	}
	for _, m := range done.Missing {
		fmt.Fprintf(p.stderr, "warning: %s\n", output.Visible(m))
	}
	fmt.Fprintf(p.stdout, "%s: %d files, %d of them not whole\n", dir, len(done.Files), partial)
	return nil
}

// newFile writes a file that is not there yet.
func newFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// plainFileName is the last part of a name, of letters, digits, dots and dashes.
func plainFileName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-') {
			return r
		}
		return '_'
	}, name)
	return name[max(0, len(name)-80):]
}
