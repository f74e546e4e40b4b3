package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Messages of SMB2 ([MS-SMB2]) and DCE/RPC (C706 chapter 12), as far as hunts ask for what
// is in them.

// smb is a conversation with a file server.
type smb struct {
	said   []part
	id     uint64
	tree   uint32
	handle uint64
}

// command is a request of so many bytes with its answer; fields are put at their places.
func (s *smb) command(number uint16, ask, answer []byte) {
	s.id++
	for end, body := range [][]byte{ask, answer} {
		b := append(binary.BigEndian.AppendUint32(nil, uint32(64+len(body))), "\xfeSMB\x40"...)
		b = append(b, make([]byte, 59)...)
		le := binary.LittleEndian
		le.PutUint16(b[4+12:], number)
		le.PutUint32(b[4+16:], uint32(end)) // 1: from the server
		le.PutUint64(b[4+24:], s.id)
		le.PutUint32(b[4+36:], s.tree)
		s.said = append(s.said, part{end, append(b, body...), 0})
	}
}

func wide(s string) (b []byte) {
	for _, c := range []byte(s) {
		b = append(b, c, 0)
	}
	return b
}

// fields are n bytes with some set.
func fields(n int, set map[int]uint64) []byte {
	b := make([]byte, n+8)
	for at, v := range set {
		for ; v > 0; at, v = at+1, v>>8 {
			b[at] = byte(v)
		}
	}
	return b[:n]
}

// share connects to a share (section 2.2.9).
func (s *smb) share(name string) {
	path := wide(`\\files\` + name)
	s.tree++
	s.command(3, append(fields(8, map[int]uint64{0: 9, 4: 64 + 8, 6: uint64(len(path))}), path...), fields(16, map[int]uint64{0: 16}))
}

// open opens a file or pipe (section 2.2.13).
func (s *smb) open(name string) {
	path := wide(name)
	s.handle++
	s.command(5, append(fields(56, map[int]uint64{0: 57, 44: 64 + 56, 46: uint64(len(path))}), path...), fields(88, map[int]uint64{0: 89, 4: 1, 48: 5000, 64: s.handle}))
}

// write and read move bytes of what is open (sections 2.2.19 to 2.2.22).
func (s *smb) write(b []byte) {
	s.command(9, append(fields(48, map[int]uint64{0: 49, 2: 64 + 48, 4: uint64(len(b)), 16: s.handle}), b...), fields(16, map[int]uint64{0: 17, 4: uint64(len(b))}))
}

func (s *smb) read(b []byte) {
	s.command(8, fields(48, map[int]uint64{0: 49, 4: uint64(len(b)), 16: s.handle}), append(fields(16, map[int]uint64{0: 17, 2: 64 + 16, 4: uint64(len(b))}), b...))
}

func (s *smb) close() {
	s.command(6, fields(24, map[int]uint64{0: 24, 8: s.handle}), fields(60, map[int]uint64{0: 60}))
}

// Interfaces by their UUIDs, with operations by their numbers: [MS-SCMR] section 3.1.4,
// [MS-TSCH] section 3.2.5.4, [MS-DRSR] section 4.
const (
	svcctl         = "367abb81-9844-35f1-ad32-98f038001003"
	createServiceW = 12
	enumServicesW  = 14
	openSCManagerW = 15
	startServiceW  = 19

	taskScheduler      = "86d35949-83c9-4044-b424-db363231fd0c"
	schRpcRegisterTask = 1

	drsuapi         = "e3514235-4b06-11d1-ab04-00c04fc2dcd2"
	drsBind         = 0
	drsGetNCChanges = 3
)

// calls are a bind to an interface and calls that are answered.
func calls(uuid string, opnums ...byte) (said []part) {
	pdu := func(kind byte, call int, body []byte) []byte {
		b := []byte{5, 0, kind, 3, 0x10, 0, 0, 0}
		b = binary.LittleEndian.AppendUint16(b, uint16(16+len(body)))
		return append(binary.LittleEndian.AppendUint32(append(b, 0, 0), uint32(call)), body...)
	}
	id, _ := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
	for _, field := range [][]byte{id[:4], id[4:6], id[6:8]} {
		slices.Reverse(field)
	}
	bind := slices.Concat(fields(8, nil), []byte{1, 0, 0, 0, 0, 0, 1, 0}, id, fields(24, nil))
	said = append(said, part{0, pdu(11, 1, bind), 0}, part{1, pdu(12, 1, fields(40, nil)), 0})
	for n, opnum := range opnums {
		said = append(said, part{0, pdu(0, n+2, append([]byte{0, 0, 0, 0, 0, 0, opnum, 0}, make([]byte, 40)...)), 0}, part{1, pdu(2, n+2, fields(60, nil)), 0})
	}
	return said
}

// pipe makes calls through a pipe.
func (s *smb) pipe(name, uuid string, opnums ...byte) {
	s.share("IPC$")
	s.open(name)
	for _, p := range calls(uuid, opnums...) {
		if p.end == 0 {
			s.write(p.payload)
		} else {
			s.read(p.payload)
		}
	}
	s.close()
}

func (t *traffic) smb(at time.Time, client, server string, do func(*smb)) {
	var s smb
	do(&s)
	t.talk(at, client, server, 445, "SF", s.said)
}

// put writes a program to an administrative share.
func (s *smb) put(name string) {
	s.share("ADMIN$")
	s.open(name)
	s.write(make([]byte, 3000))
	s.close()
}

const controller = "10.1.0.2"

// office is a day of an administrator, who reads and writes files, on an administrative share
// as well, and looks at services; and of domain controllers: one gives tickets and replicates
// from another, which does from a third.
func (t *traffic) office(at time.Time, admin, server string) {
	t.smb(at, admin, server, func(s *smb) {
		for _, name := range []string{"data", "C$"} {
			s.share(name)
			s.open(`reports\march.txt`)
			s.read(make([]byte, 5000))
			s.close()
		}
		s.share("data")
		s.open("notes.txt")
		s.write(make([]byte, 500))
		s.close()
		s.pipe("svcctl", svcctl, openSCManagerW, enumServicesW)
	})
	t.talk(at, controller, "10.1.0.3", 49155, "SF", calls(drsuapi, drsBind, drsGetNCChanges))
	t.talk(at.Add(time.Minute), resolver, controller, 49155, "SF", calls(drsuapi, drsBind, drsGetNCChanges))
}

// plantedCalls adds what hunts over files and calls look for.
func (t *traffic) plantedCalls(noon time.Time, server string) {
	t.smb(noon, "10.1.0.100", server, func(s *smb) { // smb_exec
		s.put("evil.exe")
		s.pipe("svcctl", svcctl, openSCManagerW, createServiceW, startServiceW)
	})
	t.smb(noon, "10.1.0.101", server, func(s *smb) { s.put("late.exe") }) // its service comes too late for it
	t.smb(noon.Add(20*time.Minute), "10.1.0.101", server, func(s *smb) { s.pipe("svcctl", svcctl, startServiceW) })
	t.talk(noon, "10.1.0.102", server, 49154, "SF", calls(taskScheduler, schRpcRegisterTask)) // remote_service
	for i := range 8 {                                                                        // mail_direct
		t.talk(noon.Add(time.Duration(i)*time.Minute), "10.1.0.105", fmt.Sprintf("203.0.113.%d", 150+i), 25, "SF", []part{{1, []byte("220 mx ESMTP\r\n"), 0}, {0, []byte("EHLO pc\r\n"), 0}, {1, []byte("250 ok\r\n"), 0}})
	}
	t.talk(noon, "10.1.0.103", resolver, 49155, "SF", calls(drsuapi, drsBind, drsGetNCChanges)) // dcsync
	t.talk(noon, "10.1.0.104", resolver, 49155, "SF", calls(drsuapi, drsBind))                  // which this is not
}

// TestHuntsRecorded: what testdata/smb/record.sh did with real programs is found.
func TestHuntsRecorded(t *testing.T) {
	dir := t.TempDir()
	var out, said bytes.Buffer
	if code := run(t.Context(), []string{"import", "--data", dir, "testdata/smb/smb.pcap", "testdata/mail/mail.pcap"}, nil, &out, &said); code != 0 {
		t.Fatalf("import: code %d, %s", code, said.String())
	}
	for _, c := range []struct {
		hunt, column string
		want         []string
	}{
		{"smb_exec", "name", []string{"tool.exe"}},
		{"smb_exec", "operations", []string{"CreateServiceW"}},
		{"smb_exec", "username", []string{"gavin"}},
		{"remote_service", "operations", []string{"CreateServiceW"}},
		{"remote_service", "answered", []string{"0"}}, // Samba refuses
		{"dcsync", "client_ip", nil},
		{"mail_program", "attachments", []string{"run.sh"}},
		{"mail_program", "client_ip", []string{"10.9.0.1", "10.9.0.2"}}, // submitted, and handed on
		{"mail_direct", "client_ip", nil},
	} {
		if found := huntColumn(t, dir, c.hunt, []string{"--since", "all"}, c.column); !slices.Equal(found, c.want) {
			t.Errorf("%s finds %s %v, want %v", c.hunt, c.column, found, c.want)
		}
	}
}
