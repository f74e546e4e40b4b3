package observe

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// smb2Command is a command of SMB2; next is how far it says that the next one is.
func smb2Command(command uint16, flags uint32, id uint64, next uint32, body []byte) []byte {
	b := make([]byte, smb2Header)
	copy(b, "\xfeSMB\x40")
	le := binary.LittleEndian
	le.PutUint16(b[12:], command)
	le.PutUint32(b[16:], flags)
	le.PutUint32(b[20:], next)
	le.PutUint64(b[24:], id)
	le.PutUint32(b[36:], 7)
	return append(b, body...)
}

// smb2Open asks for a file.
func smb2Open(name string, options uint32) []byte {
	b := make([]byte, 56)
	text := utf16Bytes(name)
	le := binary.LittleEndian
	b[0] = 57
	le.PutUint32(b[40:], options)
	le.PutUint16(b[44:], smb2Header+56)
	le.PutUint16(b[46:], uint16(len(text)))
	return append(b, text...)
}

// smb2Opened says yes to it.
func smb2Opened(handle uint64, size uint64) []byte {
	b := make([]byte, 88)
	le := binary.LittleEndian
	b[0], b[4] = 89, 1
	le.PutUint64(b[48:], size)
	le.PutUint64(b[64:], handle)
	return b
}

// smb2Uses is a request about an open file.
func smb2Uses(at int, handle smbHandle, length int) []byte {
	b := make([]byte, length)
	binary.LittleEndian.PutUint64(b[at:], handle[0])
	binary.LittleEndian.PutUint64(b[at+8:], handle[1])
	return b
}

// session puts commands into a message.
func session(commands ...[]byte) string {
	n := 0
	for _, c := range commands {
		n += len(c)
	}
	b := []byte{0, byte(n >> 16), byte(n >> 8), byte(n)}
	for _, c := range commands {
		b = append(b, c...)
	}
	return string(b)
}

func filesText(list []tables.File) string {
	var b strings.Builder
	for _, r := range list {
		fmt.Fprintf(&b, "%s %s|%s|%s %s %v %v %s\n", r.Protocol, r.Share, r.Name, r.NewName, r.Action, r.BytesRead.V, r.BytesWritten.V, r.Status)
	}
	return b.String()
}

// listened hands a conversation with a server over in segments of a size.
func listened(t *testing.T, parts []said, size int) (*rows, Stats) {
	t.Helper()
	r := &rows{}
	o := New(r)
	seq := map[bool]uint32{true: 1, false: 1}
	first := map[bool]bool{true: true, false: true}
	at := 0.0
	for _, part := range parts {
		for text := part.text; text != ""; text = text[min(size, len(text)):] {
			at++
			p := packet(at/1000, tables.ProtocolTCP, "10.0.0.5:40000", "192.0.2.1:445", seq[part.fromClient], []byte(text[:min(size, len(text))]))
			p.FromClient, p.First, p.Begin, p.Begins = part.fromClient, first[part.fromClient], 1, true
			first[part.fromClient] = false
			seq[part.fromClient] += uint32(len(p.Payload))
			if o.Observe(p); o.held > maxHeld {
				t.Fatalf("%d bytes are held", o.held)
			}
		}
		seq[part.fromClient] += uint32(part.lost)
	}
	o.End(8)
	if err := o.Flush(); err != nil || o.Stats().Panics > 0 || o.held != 0 {
		t.Fatalf("%v, %+v, %d bytes held", err, o.Stats(), o.held)
	}
	return r, o.Stats()
}

// TestSMBStreams: however the bytes come, and with data missing, the rows are the same.
func TestSMBStreams(t *testing.T) {
	data := make([]byte, 20_000)
	read := append([]byte{17, 0, 80, 0}, binary.LittleEndian.AppendUint32(nil, uint32(len(data)))...)
	read = append(read, make([]byte, 8)...)
	h := smbHandle{5, 0}
	open, use := smb2Command(smb2Create, 0, 1, 176, append(smb2Open("a", 0), make([]byte, 54)...)), smb2Command(smb2Read, smb2Related, 2, 0, smb2Uses(16, anyHandle, 48))
	answer := session(smb2Command(smb2Read, smb2FromServer, 2, 0, append(read, data...)))
	parts := func(lost int) []said {
		return []said{
			{true, session(open, use), 0},
			{false, session(smb2Command(smb2Create, smb2FromServer, 1, 0, smb2Opened(5, uint64(len(data))))), 0},
			{false, answer[:len(answer)-lost], lost},
			{true, session(smb2Command(smb2Close, 0, 3, 0, smb2Uses(8, h, 24))), 0},
			{false, session(smb2Command(smb2Close, smb2FromServer, 3, 0, make([]byte, 60))), 0},
		}
	}
	const want = "smb2 |a| read 20000 0 STATUS_SUCCESS\n"
	for _, size := range []int{1, 7, 1460, 1 << 20} {
		for _, lost := range []int{0, 1, 10_000, 19_000} {
			if r, _ := listened(t, parts(lost), size); filesText(r.files) != want {
				t.Errorf("segments of %d bytes, %d lost: got\n%swant\n%s", size, lost, filesText(r.files), want)
			}
		}
	}
}

// TestSMBListings: a folder was listed also when nothing in it is called so; one that may not be was opened.
func TestSMBListings(t *testing.T) {
	for status, want := range map[uint32]string{
		0:                 "list 0 0 STATUS_SUCCESS",
		statusNoMoreFiles: "list 0 0 STATUS_SUCCESS",
		statusNoSuchFile:  "list 0 0 STATUS_SUCCESS",
		0xC0000022:        "open 0 0 STATUS_ACCESS_DENIED",
	} {
		h, answer := smbHandle{5, 0}, smb2Command(smb2QueryDirectory, smb2FromServer, 2, 0, make([]byte, 8))
		binary.LittleEndian.PutUint32(answer[8:], status)
		folder := smb2Opened(5, 0)
		folder[56] = smb2AttributeDirectory
		r, _ := listened(t, []said{
			{true, session(smb2Command(smb2Create, 0, 1, 0, smb2Open("a", 1))), 0},
			{false, session(smb2Command(smb2Create, smb2FromServer, 1, 0, folder)), 0},
			{true, session(smb2Command(smb2QueryDirectory, 0, 2, 0, smb2Uses(8, h, 32))), 0},
			{false, session(answer), 0},
			{true, session(smb2Command(smb2Close, 0, 3, 0, smb2Uses(8, h, 24))), 0},
			{false, session(smb2Command(smb2Close, smb2FromServer, 3, 0, make([]byte, 60))), 0},
		}, 1460)
		if got := filesText(r.files); got != "smb2 |a| "+want+"\n" {
			t.Errorf("%x: %q, want %q", status, got, want)
		}
	}
}

// TestSMBHostile: what is absurd is bounded and counted.
func TestSMBHostile(t *testing.T) {
	long := strings.Repeat("n", 30_000)
	for name, c := range map[string]struct {
		parts func() []said
		rows  int
	}{
		"more handles than anybody has": {func() (list []said) {
			for n := range uint64(1000) {
				var ask, say strings.Builder
				for i := range uint64(100) {
					ask.WriteString(session(smb2Command(smb2Create, 0, n*100+i, 0, smb2Open("f", 0))))
					say.WriteString(session(smb2Command(smb2Create, smb2FromServer, n*100+i, 0, smb2Opened(n*100+i, 1))))
				}
				list = append(list, said{true, ask.String(), 0}, said{false, say.String(), 0})
			}
			return list
		}, 100_000},
		"requests without an answer": {func() (list []said) {
			for n := range uint64(20_000) {
				list = append(list, said{true, session(smb2Command(smb2Read, 0, n, 0, smb2Uses(16, smbHandle{n % 10, 1}, 48))), 0})
			}
			return list
		}, 10},
		"long names": {func() (list []said) {
			for n := range uint64(4200) {
				list = append(list, said{true, session(smb2Command(smb2Create, 0, n, 0, smb2Open(long[:12_000], 0))), 0})
			}
			return list
		}, 4200},
		"next command is itself": {func() []said {
			return []said{{true, session(smb2Command(smb2Create, 0, 1, 1, smb2Open("x", 0))) + strings.Repeat(session(smb2Command(smb2Close, 0, 1, 0xffffffff, nil)), 9), 0}}
		}, 1},
		"chain of empty commands": {func() []said {
			var chain [][]byte
			for range 10_000 {
				chain = append(chain, smb2Command(smb2Create, 0, 1, smb2Header, nil))
			}
			return []said{{true, session(chain...), 0}}
		}, 0},
		"longer than it is": {func() []said {
			return []said{{true, "\x00\xff\xff\xff\xfeSMB" + string(smb2Command(smb2Write, 0, 1, 0, smb2Uses(16, smbHandle{1}, 48))[4:]), 0}}
		}, 1},
		"names beyond the end": {func() []said {
			b := smb2Open("x", 0)
			binary.LittleEndian.PutUint16(b[44:], 0xfffe)
			binary.LittleEndian.PutUint16(b[46:], 0xffff)
			return []said{{true, session(smb2Command(smb2Create, 0, 1, 0, b)), 0}}
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r, stats := listened(t, c.parts(), 1<<20)
			if len(r.files) != c.rows {
				t.Errorf("%d rows, want %d; %+v", len(r.files), c.rows, stats)
			}
			for _, f := range r.files {
				if len(f.Name) > maxPath || f.Action == "" {
					t.Fatalf("%+v", f)
				}
			}
		})
	}
}

func FuzzSMB(f *testing.F) {
	f.Add([]byte(session(smb2Command(smb2Create, 0, 1, 0, smb2Open(`dir\a`, 0)))), uint8(90))
	f.Add([]byte(session(smb2Command(smb2SetInfo, 0, 1, 0, smb2Uses(16, anyHandle, 60)))), uint8(90))
	f.Add([]byte("\x00\x00\x00\x60\xffSMB\xa2\x00\x00\x00\x00\x18\x07\xc8"+strings.Repeat("\x00", 20)+"\x18\xff\x00\x00\x00"+strings.Repeat("\x00", 60)), uint8(30))
	f.Add([]byte("\x00\x00\x00\x60\xffSMB\x32\x00\x00\x00\x00\x18\x07\xc8"+strings.Repeat("\x00", 20)+"\x0f"+strings.Repeat("\x00", 70)), uint8(30))
	fuzz(f, tables.ProtocolTCP, 5000, 445)
}
