package observe

import (
	"bytes"
	"cmp"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// Files over FTP (RFC 959, RFC 2428, RFC 3659): commands and their answers, in order, and
// the conversations that carry the bytes. Where one of those will be is told before it
// begins: it is awaited there, and counted for the command it was made for.

const (
	// maxFTPCommands wait for their answers at a time.
	maxFTPCommands = 64
	// maxAwaited is how many conversations that were told of are waited for, each as long
	// as awaitedLife.
	maxAwaited  = 4096
	awaitedLife = 120e9
)

// endpoint is where somebody listens.
type endpoint struct {
	Site string
	Addr tables.Addr
	Port uint16
}

// ftpSession is what is known of a conversation with a server.
type ftpSession struct {
	User, Dir string
	Waiting   []ftpCommand // the oldest first
	// What the server last told the size of, or would rename.
	Sized, Old string
	Size       int64
	Rest       int64   // where the next transfer begins
	Lost       [2]bool // a line began that is not whole
	Answered   int64   // when the last answer came
}

// ftpCommand is one that is not answered.
type ftpCommand struct {
	Verb, Argument string
	From           Origin
	Size           tables.Opt[int64]
	Begins         int64       // where in the file
	Row            tables.File // of the data that is over
	Data           tables.ID   // the conversation it comes in
}

// ftpActions are the commands that have rows.
var ftpActions = map[string]string{"RETR": tables.FileRead, "STOR": tables.FileWritten, "STOU": tables.FileWritten, "APPE": tables.FileWritten,
	"LIST": tables.FileListed, "NLST": tables.FileListed, "MLSD": tables.FileListed, "DELE": tables.FileDeleted, "RMD": tables.FileDeleted,
	"XRMD": tables.FileDeleted, "MKD": tables.FileCreated, "XMKD": tables.FileCreated, "RNTO": tables.FileRenamed}

// moves tells of a command that its data comes in a conversation.
func (c *ftpCommand) moves() bool {
	switch ftpActions[c.Verb] {
	case tables.FileRead, tables.FileWritten, tables.FileListed:
		return true
	}
	return false
}

// holds is how many bytes it remembers.
func (s *ftpSession) holds() (n int) {
	for i := range s.Waiting {
		n += 512 + len(s.Waiting[i].Argument)
	}
	return n + len(s.Dir) + len(s.Sized) + len(s.Old)
}

// command notes a line of the client.
func (s *ftpSession) command(o *Observer, of *Peers, line []byte, from *Origin) {
	verb, argument, _ := bytes.Cut(bytes.TrimLeft(line, "\xff\xf4\xf2"), []byte{' '}) // urgent: Telnet's Synch
	if len(s.Waiting) >= maxFTPCommands {
		o.stats.Evicted++
		s.Waiting = s.Waiting[1:]
	}
	c := ftpCommand{Verb: strings.ToUpper(plainText(verb, 8)), From: *from}
	if c.Verb != "PASS" && c.Verb != "ACCT" {
		c.Argument = plainText(argument, maxPath)
	}
	if c.moves() {
		c.Begins, s.Rest = s.begins(&c), 0
	}
	if s.Waiting = append(s.Waiting, c); from.TS < s.Answered { // it waited behind lost bytes, and its answer has passed
		s.end(o, of)
	}
}

// begins is the place in its file that a transfer begins at.
func (s *ftpSession) begins(c *ftpCommand) int64 {
	if c.Verb == "APPE" && s.Sized == c.Argument {
		return s.Size
	}
	if n := len(s.Waiting); n > 0 && s.Waiting[n-1].Verb == "REST" { // not answered
		return restart(&s.Waiting[n-1])
	}
	return s.Rest
}

func restart(c *ftpCommand) int64 {
	n, _ := strconv.ParseInt(strings.TrimSpace(c.Argument), 10, 62)
	return max(n, 0)
}

// told finds how large a file is in what a server says before it sends it.
var told = regexp.MustCompile(`\((\d{1,18}) bytes\)`)

// answer notes a line of the server, the last of several.
func (s *ftpSession) answer(o *Observer, of *Peers, code string, text []byte, from *Origin) {
	s.Answered = max(s.Answered, from.TS)
	if len(s.Waiting) == 0 {
		return
	}
	c := &s.Waiting[0]
	if code[0] == '1' {
		if m := told.FindSubmatch(text); m != nil {
			n, _ := strconv.ParseInt(string(m[1]), 10, 64)
			c.Size = tables.Some(n)
		}
		return
	}
	defer func() { s.Waiting = s.Waiting[1:] }()
	if ftpActions[c.Verb] != "" {
		s.over(o, of, c, code, from)
		return
	}
	if code[0] != '2' && code[0] != '3' {
		return
	}
	switch c.Verb {
	case "CWD", "XCWD":
		s.enter(c.Argument)
	case "CDUP", "XCUP":
		s.enter("..")
	case "PWD", "XPWD":
		if quoted := strings.SplitN(strings.ReplaceAll(string(text), `""`, "\x00"), `"`, 3); len(quoted) == 3 {
			s.enter(strings.ReplaceAll(quoted[1], "\x00", `"`))
		}
	case "SIZE":
		if n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 63); err == nil {
			s.Sized, s.Size = c.Argument, n
		}
	case "RNFR":
		s.Old = c.Argument
	case "REST":
		s.Rest = restart(c)
	case "PASV":
		o.await(of, of.Server, commaPort(string(text)), from.TS)
	case "EPSV":
		o.await(of, of.Server, extendedPort(string(text)), from.TS)
	case "PORT":
		o.await(of, of.Client, commaPort(c.Argument), from.TS)
	case "EPRT":
		o.await(of, of.Client, extendedPort(c.Argument), from.TS)
	}
}

// enter changes the folder.
func (s *ftpSession) enter(dir string) {
	switch {
	case strings.HasPrefix(dir, "/"):
		s.Dir = cutText(path.Clean(dir), maxPath)
	case s.Dir != "":
		s.Dir = cutText(path.Join(s.Dir, dir), maxPath)
	}
}

// row is that of a command.
func (s *ftpSession) row(of *Peers, c *ftpCommand) tables.File {
	row := of.file(&c.From, tables.FileFTP)
	row.Action, row.Share, row.Name = ftpActions[c.Verb], cutText(tables.FoldCase(s.Dir), maxShare), c.Argument
	row.Username = tables.FoldCase(s.User)
	switch row.Action {
	case tables.FileRenamed:
		row.Name, row.NewName, s.Old = s.Old, c.Argument, ""
	case tables.FileListed:
		for strings.HasPrefix(row.Name, "-") { // options
			_, row.Name, _ = strings.Cut(row.Name, " ")
		}
		row.Name = cmp.Or(row.Name, ".")
	}
	if row.Size = c.Size; !row.Size.Set && row.Action == tables.FileRead && s.Sized == c.Argument {
		row.Size = tables.Some(s.Size)
	}
	return row
}

// over has an answer that ends a command.
func (s *ftpSession) over(o *Observer, of *Peers, c *ftpCommand, code string, from *Origin) {
	end := tables.TimeOf(from.TS)
	if data := o.dataOf(c.Data); data != nil { // of which more may come
		data.Row.Status, data.Row.TSEnd = code, max(data.Row.TSEnd, end)
		return
	}
	row := c.Row
	if row.Protocol == "" {
		if row = s.row(of, c); c.moves() && row.Size == tables.Some(int64(0)) || code[0] >= '4' || !c.moves() {
			row.BytesRead, row.BytesWritten = tables.Some(int64(0)), tables.Some(int64(0))
		}
	}
	row.Status, row.TSEnd = code, max(row.TSEnd, end)
	o.write(&row)
}

// end writes what was not answered.
func (s *ftpSession) end(o *Observer, of *Peers) {
	for i := range s.Waiting {
		c := &s.Waiting[i]
		if ftpActions[c.Verb] == "" || o.dataOf(c.Data) != nil {
			continue
		}
		if c.Row.Protocol == "" {
			c.Row = s.row(of, c)
		}
		o.write(&c.Row)
	}
	s.Waiting = nil
}

// ftpData reads a conversation that carries a file's bytes.
type ftpData struct {
	Of      Peers
	Control tables.ID // the conversation that told of it
	Row     tables.File
	Bytes   int64
	Begins  int64 // where in the file
	Done    bool
}

func (r *ftpData) over() bool  { return r.Done }
func (r *ftpData) opens() bool { return false }
func (r *ftpData) holds() int  { return 1024 }

func (r *ftpData) read(o *Observer, side int, b []byte, from *Origin) int {
	if r.Bytes == 0 {
		o.finding.Service = serviceFTPData
	}
	r.Bytes += int64(len(b))
	r.Row.TSEnd = max(r.Row.TSEnd, tables.TimeOf(from.TS))
	return len(b)
}

func (r *ftpData) lack(o *Observer, side int, rest []byte, n int) { r.Bytes += int64(n) }

// end writes the row, unless its answer is still to come.
func (r *ftpData) end(o *Observer) {
	r.Done = true
	moved, other := &r.Row.BytesRead, &r.Row.BytesWritten
	if r.Row.Action == tables.FileWritten {
		moved, other = other, moved
	}
	*moved, *other = tables.Some(r.Bytes), tables.Some(int64(0))
	if r.Begins > 0 { // what was told may be of what is left
		r.Row.Size = tables.Some(max(r.Row.Size.V, r.Begins+r.Bytes))
	}
	if c := o.commandOf(r.Control, r.Of.Conn); c != nil {
		c.Row, c.Data = r.Row, 0
		return
	}
	o.write(&r.Row)
}

const serviceFTPData = "ftp-data"

// await expects a conversation that another one told of, to one of its own ends: where
// else one is said to be is not believed.
func (o *Observer) await(of *Peers, addr tables.Addr, port uint16, ns int64) {
	if port == 0 {
		return
	}
	o.awaited.expire(ns, nil)
	where := endpoint{of.Site, addr, port}
	o.awaited.remove(where)
	o.awaited.put(where, of.Conn, ns, nil)
}

// dataStream has a conversation that was told of read for the command it was made for.
func (o *Observer) dataStream(of *Peers, flow tables.ID) reader {
	for _, where := range []endpoint{{of.Site, of.Server, of.ServerPort}, {of.Site, of.Client, of.ClientPort}} {
		control := o.awaited.get(where)
		if control == nil {
			continue
		}
		conn := *control
		r := o.ftp(conn)
		if r == nil {
			continue
		}
		for i := range r.FTP.Waiting {
			if c := &r.FTP.Waiting[i]; c.moves() && c.Data == 0 && c.Row.Protocol == "" {
				o.awaited.remove(where)
				row := r.FTP.row(&r.Of, c)
				row.ConnID, row.FlowID, c.Data = of.Conn, flow, of.Conn
				return &ftpData{Of: *of, Control: conn, Row: row, Begins: c.Begins}
			}
		}
	}
	return nil
}

// dataOf is the reader of a conversation that carries a file, while it goes on.
func (o *Observer) dataOf(conn tables.ID) *ftpData {
	if s := o.streams.get(conn); s != nil {
		if r, ok := s.reader.(*ftpData); ok && !r.Done {
			return r
		}
	}
	return nil
}

// commandOf is the command whose data a conversation has.
func (o *Observer) commandOf(control, data tables.ID) *ftpCommand {
	r := o.ftp(control)
	for i := 0; r != nil && i < len(r.FTP.Waiting); i++ {
		if c := &r.FTP.Waiting[i]; c.Data == data {
			return c
		}
	}
	return nil
}

// ftp is the reader of a conversation of FTP that goes on.
func (o *Observer) ftp(conn tables.ID) *textReader {
	if s := o.streams.get(conn); s != nil {
		if r, ok := s.reader.(*textReader); ok && r.FTP != nil {
			return r
		}
	}
	return nil
}

// file begins a row.
func (of *Peers) file(from *Origin, protocol string) tables.File {
	ts := tables.TimeOf(from.TS)
	return tables.File{TS: ts, TSEnd: ts, Sensor: of.Sensor, Site: of.Site, Client: of.Client, ClientPort: int32(of.ClientPort),
		Server: of.Server, ServerPort: int32(of.ServerPort), Protocol: protocol, ConnID: of.Conn, FlowID: from.FlowID,
		PacketID: tables.Opt[tables.ID]{V: from.PacketID, Set: from.Kept}}
}

var sixNumbers = regexp.MustCompile(`\d{1,3},\d{1,3},\d{1,3},\d{1,3},(\d{1,3}),(\d{1,3})`)

// commaPort is the port of h1,h2,h3,h4,p1,p2, 0 if there is none.
func commaPort(text string) uint16 {
	m := sixNumbers.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	high, _ := strconv.ParseUint(m[1], 10, 8)
	low, _ := strconv.ParseUint(m[2], 10, 8)
	return uint16(high<<8 | low)
}

// extendedPort likewise of |protocol|address|port| (RFC 2428), whatever the delimiter.
func extendedPort(text string) uint16 {
	if _, inside, ok := strings.Cut(text, "("); ok {
		text = inside
	}
	if text == "" {
		return 0
	}
	fields := strings.SplitN(text, text[:1], 6)
	if len(fields) < 5 {
		return 0
	}
	port, _ := strconv.ParseUint(fields[3], 10, 16)
	return uint16(port)
}
