package archive

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

// A log that ends while the disk is full can't say in a batch what went with it. It
// says so in a file that has its room from the start, state/<writer>.lost, and whoever
// opens it next puts it into his first batch:
//
//	CRC-32C in 8 hex digits │ space │ JSON │ spaces up to lostSize

// lostSize is how much room is kept.
const lostSize = 1024

// logLost is what is lost of a log.
type logLost struct {
	Log    string          `json:"log"`
	Stored uint64          `json:"stored"` // the last commit whose rows were
	Lost   tables.Coverage `json:"lost"`
}

// openLost makes room for what may be lost.
func (l *Log) openLost() error {
	f, err := disk.Obtain(l.a.disk, filepath.Join(l.a.dir, stateFolder, l.writer+".lost"), 0o640)
	if err != nil {
		return err
	}
	l.lost = f
	b := make([]byte, lostSize)
	if n, _ := f.ReadAt(b, 0); n < lostSize {
		return l.nothingLost()
	}
	var was logLost
	sum, text, _ := bytes.Cut(b, []byte{' '})
	if string(sum) != fmt.Sprintf("%08x", sums.Of(text)) || json.Unmarshal(text, &was) != nil {
		return nil
	}
	// One without a commit has no other trace.
	if (was.Log == l.name() || l.begun) && was.Stored == l.stored || was.Log == l.before.Log && was.Stored == l.before.Stored {
		if also := l.wasLost; also != nil { // they were to be metered again
			was.Lost.NotKept = tables.Some(was.Lost.NotKept.V + also.NotKept.V)
			was.Lost.LostRows = tables.Some(was.Lost.LostRows.V + also.LostRows.V)
			was.Lost.TS, was.Lost.TSEnd = min(was.Lost.TS, also.TS), max(was.Lost.TSEnd, also.TSEnd)
		}
		l.wasLost = &was.Lost
	}
	return nil
}

func (l *Log) nothingLost() error {
	l.wasLost = nil
	_, err := l.lost.WriteAt(bytes.Repeat([]byte{' '}, lostSize), 0)
	return err
}

// Lost is what the one who had the log before could not have written, if his end
// was the last that it heard of; nil if nothing was lost.
func (l *Log) Lost() *tables.Coverage { return l.wasLost }

// Abandon gives up a mark that can't be committed: the log is to be closed.
func (l *Log) Abandon(m *Mark) {
	for _, p := range m.parts {
		if p.seal && !p.s.sealed {
			l.a.tidied(p.s.close())
		}
	}
}

// Lose says, instead of a commit, what is lost since the last one.
func (l *Log) Lose(c tables.Coverage) error {
	text, err := json.Marshal(logLost{l.name(), l.stored, c})
	if err != nil {
		return err
	}
	const head = 9
	if len(text) > lostSize-head {
		return fmt.Errorf("%d bytes say what is lost, there is room for %d", len(text), lostSize-head)
	}
	text = append(text, bytes.Repeat([]byte{' '}, lostSize-head-len(text))...)
	if _, err := l.lost.WriteAt(fmt.Appendf(nil, "%08x %s", sums.Of(text), text), 0); err != nil {
		return err
	}
	return l.lost.Sync()
}
