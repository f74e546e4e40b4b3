package capture

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// source is a capture file to be imported.
type source struct {
	path  string // absolute
	size  int64
	first int64  // time of the first packet, ns; 0 without packets
	head  string // see pcap.Reader.HeadID
	id    string // its content id, once that is known
	ids   string // what its rows' ids are made of: head, or id
	err   error  // why it can't be imported
}

// collect finds the capture files under the paths: files as they are, folders
// with everything in them that is named like a capture or starts like one.
// skip is a folder that is left out: the archive's own.
func collect(paths []string, skip string) []*source {
	var found []*source
	add := func(path string, err error) { found = append(found, &source{path: path, err: err}) }
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			add(p, err)
			continue
		}
		st, err := os.Stat(abs)
		if err == nil && st.IsDir() {
			abs, err = filepath.EvalSymlinks(abs) // the walk would not enter a link
		}
		switch {
		case err != nil:
			add(abs, err)
		case !st.IsDir():
			add(abs, nil)
		default:
			before := len(found)
			err := filepath.WalkDir(abs, func(path string, e fs.DirEntry, err error) error {
				switch {
				case err != nil:
					add(path, err)
					if e != nil && e.IsDir() {
						return fs.SkipDir
					}
				case e.IsDir() && path == skip:
					return fs.SkipDir
				case e.IsDir():
				case named(path) || starts(path):
					add(path, nil)
				}
				return nil
			})
			switch {
			case err != nil:
				add(abs, err)
			case len(found) == before:
				add(abs, fmt.Errorf("%s: no captures in this folder", abs))
			}
		}
	}
	slices.SortStableFunc(found, func(a, b *source) int { return strings.Compare(a.path, b.path) })
	return slices.CompactFunc(found, func(a, b *source) bool { return a.path == b.path })
}

// named tells whether a file is named like a capture, maybe compressed.
func named(path string) bool {
	name := strings.ToLower(filepath.Base(path))
	for _, z := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, z)
	}
	switch filepath.Ext(name) {
	case ".pcap", ".pcapng", ".cap":
		return true
	}
	return false
}

// magics are the first bytes of pcap (either byte order, µs and ns) and pcapng.
var magics = [][]byte{
	{0xa1, 0xb2, 0xc3, 0xd4}, {0xd4, 0xc3, 0xb2, 0xa1}, {0xa1, 0xb2, 0x3c, 0x4d}, {0x4d, 0x3c, 0xb2, 0xa1},
	{0x0a, 0x0d, 0x0d, 0x0a},
}

// starts tells whether a file that is not named like a capture is one.
func starts(path string) bool {
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() {
		return false
	}
	if e := strings.ToLower(filepath.Ext(path)); e == ".gz" || e == ".zst" {
		r, err := pcap.Open(path)
		if err == nil {
			r.Close()
		}
		return err == nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var b [4]byte
	if _, err := io.ReadFull(f, b[:]); err != nil {
		return false
	}
	return slices.ContainsFunc(magics, func(m []byte) bool { return bytes.Equal(m, b[:]) })
}

// probe reads up to the first packet. A file that is damaged later on, or has
// no packet at all, is still a capture.
func (s *source) probe() {
	if s.err != nil {
		return
	}
	st, err := os.Stat(s.path)
	if err != nil {
		s.err = err
		return
	}
	if !st.Mode().IsRegular() {
		s.err = fmt.Errorf("%s: is no regular file", s.path)
		return
	}
	s.size = st.Size()
	r, err := pcap.Open(s.path)
	if err != nil {
		s.err = err
		return
	}
	defer r.Close()
	s.head, s.ids = r.HeadID(), r.HeadID()
	if r.Short() {
		s.id = s.head
	}
	var rec pcap.Record
	var damage *pcap.DamageError
	switch err := r.Next(&rec); {
	case err == nil:
		s.first = rec.TS
	case errors.Is(err, io.EOF), errors.As(err, &damage):
	default:
		s.err = err
	}
}

// identify reads the whole file for its content id. That is for files that may be
// known, which then change nothing: others are read once.
func (s *source) identify() error {
	if s.id != "" {
		return nil
	}
	r, err := pcap.Open(s.path)
	if err != nil {
		return err
	}
	defer r.Close()
	s.id = r.ContentID()
	return nil
}

// inOrder sorts by the first packet's time: one command is one stream.
func inOrder(list []*source) {
	slices.SortStableFunc(list, func(a, b *source) int {
		if c := cmp.Compare(a.first, b.first); c != 0 {
			return c
		}
		return strings.Compare(a.path, b.path)
	})
}
