package observe

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// ftpStep is a segment of a conversation, or without text its end.
type ftpStep struct {
	conn       tables.ID
	fromClient bool
	text       string
}

// The conversations that are ftpStep in: of commands, and of data to a port of the server (5 * 256 + 1)
// and of the client (5 * 256 + 2).
var ftpEnds = map[tables.ID][2]string{1: {"10.0.0.5:40000", "192.0.2.1:21"}, 2: {"10.0.0.5:40001", "192.0.2.1:1281"}, 3: {"192.0.2.1:20", "10.0.0.5:1282"}}

// listenFTP hands conversations over, to another Observer from a step on; a segment of a
// conversation of data may say that bytes of before it are lost: "-100 text".
func listenFTP(t testing.TB, steps []ftpStep, again int) *rows {
	r := &rows{}
	o := New(r)
	type side struct {
		conn tables.ID
		from bool
	}
	seq := map[side]uint32{}
	for i, s := range steps {
		if i == again {
			var b bytes.Buffer
			state, kept := o.State(), State{}
			if err := errors.Join(gob.NewEncoder(&b).Encode(&state), gob.NewDecoder(&b).Decode(&kept)); err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b.Bytes(), []byte("geheim")) {
				t.Fatal("a password is kept")
			}
			o = New(r)
			o.Resume(&kept)
		}
		if s.text == "" {
			o.End(s.conn)
			continue
		}
		k := side{s.conn, s.fromClient}
		lost := 0
		if _, err := fmt.Sscanf(s.text, "-%d ", &lost); err == nil {
			seq[k] += uint32(lost)
			_, s.text, _ = strings.Cut(s.text, " ")
		}
		ends := ftpEnds[s.conn]
		p := packet(float64(i)+0.25, tables.ProtocolTCP, ends[0], ends[1], seq[k]+1, []byte(s.text))
		p.Client, p.Server, p.FromClient = p.Header.Src, p.Header.Dst, s.fromClient
		p.ConnID, p.FlowID, p.Begin, p.Begins, p.First = s.conn, s.conn, 1, true, seq[k] == 0
		if h := p.Header; !s.fromClient {
			h.Src, h.Dst, h.SrcPort, h.DstPort = h.Dst, h.Src, h.DstPort, h.SrcPort
		}
		seq[k] += uint32(len(s.text))
		o.Observe(p)
	}
	if err := o.Flush(); err != nil || o.Stats().Panics > 0 || o.held != 0 {
		t.Fatalf("%v, %+v, %d bytes held", err, o.Stats(), o.held)
	}
	return r
}

func transfersText(list []tables.File) string {
	var b strings.Builder
	for _, r := range list {
		fmt.Fprintf(&b, "%d %s %s|%s|%s %v %v %s %s %d-%d\n", r.ConnID, r.Action, r.Share, r.Name, r.NewName, r.BytesRead, r.BytesWritten, r.Status, r.Username, r.TS/1e6, r.TSEnd/1e6)
	}
	return b.String()
}

func TestFTP(t *testing.T) {
	login := []ftpStep{{1, false, "220-Hi\r\n220 FTP\r\n"}, {1, true, "USER Gavin\r\n"}, {1, false, "331 ?\r\n"}, {1, true, "PASS geheim\r\n"},
		{1, false, "230-Hi\r\n230 In\r\n"}, {1, true, "PWD\r\n"}, {1, false, "257 \"/Home \"\"x\"\"\" is it\r\n"}, {1, true, "CWD ../A/b\r\n"}, {1, false, "250 ok\r\n"}}
	passive := append(login, ftpStep{1, true, "PASV\r\n"}, ftpStep{1, false, "227 Entering (10,1,1,1,5,1)\r\n"})
	active := append(login, ftpStep{1, true, "PORT 10,0,0,5,5,2\r\n"}, ftpStep{1, false, "200 ok\r\n"})
	for name, c := range map[string]struct {
		before, steps []ftpStep
		want          string
	}{
		"read": {passive, []ftpStep{{1, true, "RETR a b\r\n"}, {2, false, "12345"}, {1, false, "150 go\r\n226 ok\r\n"}, {2, false, "678"}, {2, false, ""}},
			"2 read /a/b|a b| {8 true} {0 true} 226 gavin 11-14\n"},
		"data ends before the answer": {passive, []ftpStep{{1, true, "STOR c\r\n"}, {2, true, "12345"}, {2, true, ""}, {1, false, "226 ok\r\n"}},
			"2 write /a/b|c| {0 true} {5 true} 226 gavin 11-14\n"},
		"active, bytes lost": {active, []ftpStep{{1, true, "APPE c\r\n"}, {1, false, "150 go\r\n"}, {3, false, "123"}, {3, false, "-100 45"}, {1, false, "426 no\r\n"}},
			"3 write /a/b|c| {0 true} {105 true} 426 gavin 11-15\n"},
		"pipelined": {login, []ftpStep{{1, true, "EPSV\r\nNLST -l d e\r\nDELE d\r\nRNFR d\r\nRNTO e\r\n"}, {1, false, "229 (|||1281|)\r\n"}, {2, false, "de"},
			{1, false, "150 x\r\n226 ok\r\n550 no\r\n350 so\r\n250 ok\r\n"}},
			"1 delete /a/b|d| {0 true} {0 true} 550 gavin 9-12\n1 rename /a/b|d|e {0 true} {0 true} 250 gavin 9-12\n2 list /a/b|d e| {2 true} {0 true} 226 gavin 9-12\n"},
		"refused":        {passive, []ftpStep{{1, true, "RETR d\r\n"}, {1, false, "550 no\r\n"}, {2, false, "GET / HTTP/1.1\r\n\r\n"}}, "1 read /a/b|d| {0 true} {0 true} 550 gavin 11-12\n"},
		"data not seen":  {passive, []ftpStep{{1, true, "RETR d\r\n"}, {1, false, "226 ok\r\n"}}, "1 read /a/b|d| {0 false} {0 false} 226 gavin 11-12\n"},
		"never answered": {passive, []ftpStep{{1, true, "RETR d\r\n"}, {2, false, "12"}, {1, true, ""}, {2, false, "34"}}, "2 read /a/b|d| {4 true} {0 true}  gavin 11-14\n"},
		// What is behind lost bytes comes when they are given up; which answer it got is not known.
		"commands lost": {passive, []ftpStep{{1, true, "DELE a\r\n"}, {1, true, "-100 \r\nDELE b\r\n"}, {1, false, "200 ok\r\n"}, {1, true, "DELE c\r\n"}, {1, false, "250 ok\r\n"},
			{1, true, "DELE d\r\n"}, {1, false, "250 ok\r\n"}},
			"1 delete /a/b|a| {0 true} {0 true} 200 gavin 11-13\n1 delete |b| {0 false} {0 false}  gavin 12-12\n1 delete |c| {0 false} {0 false}  gavin 14-14\n1 delete |d| {0 true} {0 true} 250 gavin 16-17\n"},
		"TLS": {login[:1], []ftpStep{{1, true, "AUTH TLS\r\n"}, {1, false, "234 go\r\n"}, {1, true, "RETR a\r\n"}, {1, false, "550 no\r\n"}}, ""},
	} {
		steps := append(c.before[:len(c.before):len(c.before)], c.steps...)
		for again := len(c.before) - 1; again < len(steps); again++ {
			if got := transfersText(listenFTP(t, steps, again).files); got != c.want {
				t.Errorf("%s, begun again before step %d:\n got %q\nwant %q", name, again, got, c.want)
			}
		}
	}
}

func FuzzFTP(f *testing.F) {
	f.Add("USER a\nRETR b\nPORT 1,2,3,4,5,2\nEPRT |1|1.2.3.4|1282|\n", "220 FTP\n230 ok\n150 (3 bytes)\n257 \"/\"\n229 (|||1281|)\n", "abc")
	f.Fuzz(func(t *testing.T, asks, answers, data string) {
		if len(asks)+len(answers)+len(data) > 4096 || strings.Contains(asks+answers, "geheim") {
			return
		}
		steps := []ftpStep{{1, false, answers}, {1, true, asks}, {2, true, data}, {1, false, answers}, {3, true, data}, {2, true, ""}, {1, true, ""}}
		listenFTP(t, steps, 3)
	})
}

// tftpPackets are what a client and a server send, the first a request.
func observeTFTPs(t testing.TB, again int, packets ...string) *rows {
	r := &rows{}
	o := New(r)
	for i, text := range packets {
		if i == again {
			state := o.State()
			o = New(r)
			o.Resume(&state)
		}
		from, to := "10.0.0.5:40000", "192.0.2.1:69"
		if i > 0 {
			to = "192.0.2.1:50000"
		}
		if text != "" && text[0] == '<' {
			from, to, text = to, from, text[1:]
		}
		p := packet(float64(i)+0.25, tables.ProtocolUDP, from, to, 0, []byte(text))
		p.ConnID = tables.ID(min(i, 1) + 1)
		if i > 0 && !o.Awaits("", p.Header) {
			continue
		}
		o.Observe(p)
	}
	if err := o.Flush(); err != nil || o.Stats().Panics > 0 {
		t.Fatalf("%v, %+v", err, o.Stats())
	}
	return r
}

func TestTFTP(t *testing.T) {
	block := func(n, length int) string {
		return string(binary.BigEndian.AppendUint16([]byte{0, tftpData}, uint16(n))) + strings.Repeat("x", length)
	}
	ack := func(n int) string { return string(binary.BigEndian.AppendUint16([]byte{0, tftpAck}, uint16(n))) }
	long := []string{"\x00\x01f\x00octet\x00blksize\x0010\x00", "<\x00\x06blksize\x0010\x00tsize\x00655375\x00", ack(0)}
	for n := 1; n <= 65538; n++ { // numbers wrap
		long = append(long, "<"+block(n, 10-n/65538*5), ack(n))
	}
	for name, c := range map[string]struct {
		packets []string
		want    string
	}{
		"read": {[]string{"\x00\x01a/b\x00octet\x00", "<" + block(1, 512), ack(1), "<" + block(1, 512), "<" + block(2, 3), ack(2)}, "2 read |a/b| {515 true} {0 true} complete  0-5\n"},
		"a block that was not captured": {[]string{"\x00\x01a\x00octet\x00", "<" + block(1, 512), "<" + block(3, 0), ack(3)},
			"2 read |a| {1024 true} {0 true} complete  0-3\n"},
		"write":          {[]string{"\x00\x02a\x00NETASCII\x00blksize\x001024\x00", "<" + ack(0), block(1, 512), "<" + ack(1), block(2, 0), "<" + ack(2)}, "2 write |a| {0 true} {512 true} complete  0-5\n"},
		"refused":        {[]string{"\x00\x01a\x00octet\x00", "<\x00\x05\x00\x01no\x00", "<" + block(1, 5)}, "2 read |a| {0 true} {0 true} file not found  0-1\n"},
		"not to its end": {[]string{"\x00\x01a\x00octet\x00", "<" + block(1, 512)}, "2 read |a| {512 true} {0 true}   0-1\n"},
		"no request":     {[]string{"\x00\x01a", "<" + block(1, 512)}, ""},
		"long":           {long, "2 read |f| {655375 true} {0 true} complete  0-131078\n"},
	} {
		for again := -1; again < min(len(c.packets), 8); again++ {
			if got := transfersText(observeTFTPs(t, again, c.packets...).files); got != c.want {
				t.Errorf("%s, begun again before packet %d:\n got %q\nwant %q", name, again, got, c.want)
			}
		}
	}
}

func FuzzTFTP(f *testing.F) {
	f.Add("\x00\x01a\x00octet\x00blksize\x008\x00", "<\x00\x03\x00\x01abc", "\x00\x04\x00\x01")
	f.Fuzz(func(t *testing.T, request, a, b string) {
		observeTFTPs(t, 1, request, a, b)
	})
}

// TestFTPParts: where a transfer begins within a file, its size is up to the end of what was moved,
// whatever the server says of what is left; that of the next does not.
func TestFTPParts(t *testing.T) {
	for name, c := range map[string]struct {
		steps []ftpStep
		want  string
	}{
		"read on":      {[]ftpStep{{1, true, "REST 1000\r\n"}, {1, false, "350 ok\r\n"}, {1, true, "RETR a\r\n"}, {1, false, "150 a (3 bytes)\r\n"}}, "1003"},
		"written on":   {[]ftpStep{{1, true, "REST 7\r\n"}, {1, false, "350 ok\r\n"}, {1, true, "STOR a\r\n"}, {1, false, "150 go\r\n"}}, "10"},
		"at once":      {[]ftpStep{{1, true, "REST 7\r\nSTOR a\r\n"}, {1, false, "350 ok\r\n150 go\r\n"}}, "10"},
		"refused":      {[]ftpStep{{1, true, "REST 7\r\n"}, {1, false, "501 no\r\n"}, {1, true, "STOR a\r\n"}, {1, false, "150 go\r\n"}}, "unknown"},
		"appended":     {[]ftpStep{{1, true, "SIZE a\r\n"}, {1, false, "213 50\r\n"}, {1, true, "APPE a\r\n"}, {1, false, "150 go\r\n"}}, "53"},
		"of the whole": {[]ftpStep{{1, true, "REST 7\r\n"}, {1, false, "350 ok\r\n"}, {1, true, "RETR a\r\n"}, {1, false, "150 a (900 bytes)\r\n"}}, "900"},
		"too much":     {[]ftpStep{{1, true, "REST 99999999999999999999\r\n"}, {1, false, "350 ok\r\n"}, {1, true, "STOR a\r\n"}, {1, false, "150 go\r\n"}}, "2305843009213693954"},
		"not again": {[]ftpStep{{1, true, "REST 7\r\n"}, {1, false, "350 ok\r\n"}, {1, true, "STOR b\r\n"}, {1, false, "550 no\r\n"},
			{1, true, "STOR a\r\n"}, {1, false, "150 go\r\n"}}, "unknown"},
	} {
		begin := []ftpStep{{1, false, "220 FTP\r\n"}, {1, true, "PASV\r\n"}, {1, false, "227 Entering (192,0,2,1,5,1)\r\n"}}
		steps := append(append(begin, c.steps...), ftpStep{2, false, "abc"}, ftpStep{2, false, ""}, ftpStep{1, false, "226 ok\r\n"})
		for again := range len(steps) + 1 {
			files := listenFTP(t, steps, again).files
			got := "unknown"
			if last := files[len(files)-1]; last.Size.Set {
				got = fmt.Sprint(last.Size.V)
			}
			if got != c.want {
				t.Errorf("%s, another observer from step %d on: size %s, want %s", name, again, got, c.want)
			}
		}
	}
}
