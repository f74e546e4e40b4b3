package shell

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/peterh/liner"
)

// history is a file of entries, a line each. Several shells may write it.
type history struct {
	path string // empty: nothing is kept
	err  error  // the first that happened
}

// maxHistory bounds what is read of the file, in bytes: its end.
const maxHistory = 4 << 20

// entries are the last ones. A file that has become much longer is cut to them.
func (h *history) entries() []string {
	if h.path == "" {
		return nil
	}
	f, err := os.Open(h.path)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			h.err = err
		}
		return nil
	}
	defer f.Close()
	cut := false
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		cut = size > maxHistory
		_, h.err = f.Seek(max(0, size-maxHistory), io.SeekStart)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxHistory))
	if err != nil {
		h.err = err
		return nil
	}
	if cut { // in the middle of a line
		text = text[bytes.IndexByte(text, '\n')+1:]
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && utf8.ValidString(line) {
			out = append(out, line)
		}
	}
	if last := len(out) - liner.HistoryLimit; last > 0 {
		out = out[last:]
	}
	if cut {
		h.err = os.WriteFile(h.path, []byte(strings.Join(out, "\n")+"\n"), 0o600)
	}
	return out
}

// add appends an entry. What can't be kept is lost to later shells only.
func (h *history) add(entry string) {
	if h.path == "" || strings.Contains(entry, "\n") {
		return
	}
	if err := os.MkdirAll(filepath.Dir(h.path), 0o700); err != nil {
		h.err = err
		return
	}
	f, err := os.OpenFile(h.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.WriteString(entry + "\n")
		err = errors.Join(err, f.Close())
	}
	if h.err == nil {
		h.err = err
	}
}
