package collector

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// Replay decodes datagrams that exporters once sent, from one file after the
// other. All go through one decoder, so that templates in one serve the others;
// the time between two of them means nothing, so nothing grows old.
//
// It hands the rows to a sink, those of exporters only of files that have brought
// a row or are Released: a file of nothing but templates that are missing may be
// left out, and be replayed again beside the file that has them.
type Replay struct {
	decoder *Decoder
	sink    tables.ExportSink
	site    string

	file    *ReplayFile // being read
	ticked  tables.Time
	waiting map[replayStream][]*ReplayFile // with data sets that wait
	records map[replayStream]int64
}

// ReplayFile is what came of the datagrams of a file.
type ReplayFile struct {
	Datagrams   int64
	Bytes       int64 // of them
	Rows        int64
	First, Last tables.Time // of the datagrams

	ids      uint64 // upper bits of its flow ids
	outcomes [4]int64
	expired  int64          // data sets there was no room to keep
	waits    []replayStream // on which data sets of it still wait
	accounts []tables.Exporter
}

// replayStream is what sequence numbers and templates belong to.
type replayStream struct {
	exporter tables.Addr
	source   string
	domain   tables.Opt[int64]
}

// importStream marks the flow ids of imports; the lower half of all streams
// is the collector's own.
const importStream = 1 << 23

// NewReplay prepares a decoder for files. The list of exporters of cfg names
// them and refuses nobody: who replays a file wants what is in it. site is that
// of exporters whose entry names none.
func NewReplay(cfg Config, site string, sink tables.ExportSink) (*Replay, error) {
	const all = "::/0"
	if n := len(cfg.Exporters); n > 0 && !slices.ContainsFunc(cfg.Exporters, func(e string) bool { return strings.HasPrefix(e, all) }) {
		cfg.Exporters = append(slices.Clone(cfg.Exporters), all)
	}
	cfg.WaitTime, cfg.TemplateTTL = 1<<62, 1<<62
	cfg.WaitBytes = 64 << 20
	r := &Replay{sink: sink, site: site, waiting: map[replayStream][]*ReplayFile{}, records: map[replayStream]int64{}}
	var err error
	r.decoder, err = NewDecoder(cfg, r, nil)
	return r, err
}

// Begin starts a file. Its content id, 32 hexadecimal digits, goes into the ids
// of its flows.
func (r *Replay) Begin(content string) (*ReplayFile, error) {
	id, err := hex.DecodeString(content)
	if err != nil || len(id) < 3 {
		return nil, fmt.Errorf("content id %q is not 32 hexadecimal digits", content)
	}
	r.file = &ReplayFile{ids: importStream | uint64(id[0])<<16&(importStream-1) | uint64(id[1])<<8 | uint64(id[2])}
	return r.file, nil
}

// tickEvery is how much of the datagrams' time passes between two accounts of
// the exporters.
const tickEvery = 10_000_000

// Datagram decodes a datagram of the file.
func (r *Replay) Datagram(from netip.AddrPort, at tables.Time, data []byte) error {
	f := r.file
	if f.Datagrams == 0 {
		f.First, f.Last, r.ticked = at, at, at
	}
	f.First, f.Last = min(f.First, at), max(f.Last, at)
	f.Datagrams++
	f.Bytes += int64(len(data))
	f.outcomes[r.decoder.Datagram(from, at, data)]++
	if at-r.ticked < tickEvery {
		return nil
	}
	r.ticked = at
	return r.decoder.Tick(at)
}

// Raw decodes a file of datagrams one behind another, all of one sender. A
// datagram's time is the exporter's own of sending; sFlow has none and gets
// otherwise.
func (r *Replay) Raw(sender netip.Addr, otherwise tables.Time, data []byte) error {
	for len(data) > 0 {
		var one []byte
		one, data = NextDatagram(data)
		at, ok := ExportTime(one)
		if !ok || at <= 0 {
			at = otherwise
		}
		if err := r.Datagram(netip.AddrPortFrom(sender, 0), at, one); err != nil {
			return err
		}
	}
	return nil
}

// End ends the file: its exporters are accounted for.
func (r *Replay) End() error { return r.decoder.Close(r.file.Last) }

// Finish is called behind the last file. Now it is known which data sets never
// got their template.
func (r *Replay) Finish() {
	for s, files := range r.waiting {
		for _, f := range files {
			f.waits = append(f.waits, s)
		}
	}
	clear(r.waiting)
}

// Vain tells that a file brought nothing but data sets whose template is in none
// of the files.
func (r *Replay) Vain(f *ReplayFile) bool {
	return len(f.waits) > 0 && f.Rows == 0 && !slices.ContainsFunc(f.waits, func(s replayStream) bool { return r.records[s] > 0 })
}

// Release hands on the rows of exporters that were kept back.
func (r *Replay) Release(f *ReplayFile) error {
	for i := range f.accounts {
		if err := r.sink.Exporter(&f.accounts[i]); err != nil {
			return err
		}
	}
	f.accounts = nil
	return nil
}

// Faults tells what of the file did not become rows; "" if all did.
func (f *ReplayFile) Faults() []string {
	var all []string
	for _, c := range []struct {
		n    int64
		what string
	}{
		{f.outcomes[Undecodable], "datagrams not decoded whole"},
		{f.outcomes[Refused], "datagrams of too many exporters"},
		{f.expired, "data sets dropped, waiting for a template"},
	} {
		if c.n > 0 {
			all = append(all, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if len(f.waits) > 0 {
		all = append(all, "data sets whose template is in none of the files")
	}
	return all
}

// Exports takes rows of the decoder and numbers them by their file.
func (r *Replay) Exports(rows []tables.Export) error {
	for i := range rows {
		row := &rows[i]
		row.FlowID = tables.ID(r.file.ids<<40 | uint64(r.file.Rows))
		r.file.Rows++
		if row.Site == "" {
			row.Site = r.site
		}
	}
	return r.sink.Exports(rows)
}

// Exporter takes the account of a stream. Its interval is brought within the
// file: times do not go on from one file to the next.
func (r *Replay) Exporter(account *tables.Exporter) error {
	f, row := r.file, *account
	row.TS = min(max(row.TS, f.First), f.Last)
	row.TSEnd = max(row.TS, row.TSEnd)
	if row.Site == "" {
		row.Site = r.site
	}
	key := replayStream{row.Exporter, row.SourceType, row.Domain}
	r.records[key] += row.Records
	f.expired += row.Expired
	if list := r.waiting[key]; row.Waited > 0 && (len(list) == 0 || list[len(list)-1] != f) {
		r.waiting[key] = append(list, f)
	}
	if row.Waiting == 0 {
		delete(r.waiting, key)
	}
	f.accounts = append(f.accounts, row)
	if f.Rows == 0 {
		return nil
	}
	return r.Release(f)
}

// Socket is not called: there are none.
func (r *Replay) Socket(*tables.Socket) error { return nil }
