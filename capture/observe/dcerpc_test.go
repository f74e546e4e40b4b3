package observe

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// rpcPDU is a fragment, of a call's only one.
func rpcPDU(kind byte, call uint32, body []byte) []byte {
	b := []byte{5, 0, kind, 3, rpcLittle, 0, 0, 0}
	b = binary.LittleEndian.AppendUint16(b, uint16(rpcHeader+len(body)))
	b = binary.LittleEndian.AppendUint32(append(b, 0, 0), call)
	return append(b, body...)
}

// svcctlBind binds context 1 to svcctl.
func svcctlBind() []byte {
	body := append(make([]byte, 8), 1, 0, 0, 0, 1, 0, 1, 0)
	body = append(body, "\x81\xbb\x7a\x36\x44\x98\xf1\x35\xad\x32\x98\xf0\x38\x00\x10\x03\x02\x00\x00\x00"...)
	return rpcPDU(rpcBind, 1, append(body, make([]byte, 20)...))
}

func rpcCallOf(call uint32, opnum byte, stub int) []byte {
	return rpcPDU(rpcRequest, call, append([]byte{0, 0, 0, 0, 1, 0, opnum, 0}, make([]byte, stub)...))
}

func rpcText(list []tables.RPC) string {
	var b strings.Builder
	for _, r := range list {
		fmt.Fprintf(&b, "%s %s %d %s %q\n", r.Interface, r.Operation, r.Opnum, r.Status, r.Pipe)
	}
	return b.String()
}

// TestRPC: over TCP, however the bytes come, and through a pipe.
func TestRPC(t *testing.T) {
	answer, fault := rpcPDU(rpcResponse, 2, make([]byte, 3000)), rpcPDU(rpcFault, 3, append(make([]byte, 8), 5, 0, 0, 0, 0, 0, 0, 0))
	const want = "svcctl CreateServiceW 12 ok %[1]q\nsvcctl StartServiceW 19 access_denied %[1]q\nsvcctl  99  %[1]q\n"
	for _, size := range []int{1, 100, 1 << 20} {
		r, _ := listened(t, []said{
			{true, string(svcctlBind()), 0}, {false, string(rpcPDU(12, 1, make([]byte, 20))), 0},
			{true, string(rpcCallOf(2, 12, 2000)), 0}, {false, string(answer[:1000]), len(answer) - 1000},
			{true, string(rpcCallOf(3, 19, 10)), 0}, {false, string(fault), 0}, {true, string(rpcCallOf(4, 99, 0)), 0},
		}, size)
		if got := rpcText(r.rpc); got != fmt.Sprintf(want, "") {
			t.Errorf("segments of %d bytes: got\n%swant\n%s", size, got, fmt.Sprintf(want, ""))
		}
	}
	h := smbHandle{9, 0}
	write := func(id uint64, b []byte) said {
		body := smb2Uses(16, h, 48)
		binary.LittleEndian.PutUint16(body[2:], smb2Header+48)
		binary.LittleEndian.PutUint32(body[4:], uint32(len(b)))
		return said{true, session(smb2Command(smb2Write, 0, id, 0, append(body, b...))), 0}
	}
	read := func(id uint64, b []byte) []said {
		body := append([]byte{17, 0, smb2Header + 16, 0}, binary.LittleEndian.AppendUint32(nil, uint32(len(b)))...)
		return []said{{true, session(smb2Command(smb2Read, 0, id, 0, smb2Uses(16, h, 48))), 0},
			{false, session(smb2Command(smb2Read, smb2FromServer, id, 0, append(append(body, make([]byte, 8)...), b...))), 0}}
	}
	tree := append([]byte{9, 0, 0, 0, smb2Header + 8, 0, 26, 0}, utf16Bytes(`\\files\IPC$ `)...)
	parts := []said{{true, session(smb2Command(smb2TreeConnect, 0, 0, 0, tree[:len(tree)-2])), 0},
		{false, session(smb2Command(smb2TreeConnect, smb2FromServer, 0, 0, make([]byte, 16))), 0},
		{true, session(smb2Command(smb2Create, 0, 1, 0, smb2Open("SVCCTL", 0))), 0},
		{false, session(smb2Command(smb2Create, smb2FromServer, 1, 0, smb2Opened(9, 0))), 0}, write(2, svcctlBind()), write(3, rpcCallOf(2, 12, 50))}
	parts = append(append(parts, read(4, answer[:1024])...), read(5, answer[1024:])...)
	parts = append(append(parts, write(6, rpcCallOf(3, 19, 10))), read(7, fault)...)
	r, _ := listened(t, append(parts, write(8, rpcCallOf(4, 99, 0))), 1460)
	if got := rpcText(r.rpc); got != fmt.Sprintf(want, "svcctl") {
		t.Errorf("through a pipe: got\n%swant\n%s", got, fmt.Sprintf(want, "svcctl"))
	}
}

// TestRPCHostile: calls that nobody answers, binds without end and fragments of absurd
// lengths are bounded.
func TestRPCHostile(t *testing.T) {
	var calls, binds strings.Builder
	for n := range uint32(5000) {
		calls.Write(rpcCallOf(n, 1, 0))
		binds.Write(rpcPDU(rpcAlter, n, append(make([]byte, 8), append([]byte{255, 0, 0, 0}, make([]byte, 44*20)...)...)))
	}
	short := svcctlBind()
	binary.LittleEndian.PutUint16(short[8:], rpcHeader)
	long := rpcCallOf(1, 1, 0)
	binary.LittleEndian.PutUint16(long[8:], 0xffff)
	auth := svcctlBind()
	binary.LittleEndian.PutUint16(auth[10:], 0xffff)
	r, stats := listened(t, []said{{true, calls.String(), 0}, {true, binds.String(), 0}, {true, string(short[:rpcHeader]), 0}, {true, string(auth), 0}, {true, string(long), 0}}, 1<<20)
	if len(r.rpc) != 5001 || stats.Evicted < 4900 {
		t.Errorf("%d rows, %+v", len(r.rpc), stats)
	}
}

func FuzzRPC(f *testing.F) {
	f.Add(append(svcctlBind(), rpcCallOf(2, 12, 40)...), uint8(70))
	f.Add(append(rpcPDU(rpcResponse, 2, make([]byte, 40)), rpcPDU(rpcFault, 2, make([]byte, 12))...), uint8(30))
	fuzz(f, tables.ProtocolTCP, 5000, 135)
}
