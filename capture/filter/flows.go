package filter

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/net/bpf"

	"github.com/wiresql/wiresql/tables"
)

// Flows divides flows rather than packets: an expression that asks for nothing
// but addresses, ports and protocols, of the innermost IP packet. src is the
// client, dst the server.
type Flows struct{ vm *bpf.VM }

// CompileFlows reads an expression; an empty one takes all flows. What only a
// packet has (its length, its bytes, VLAN tags, addresses of Ethernet) is an error.
func CompileFlows(text string) (*Flows, error) {
	raw, err := compile(text, tables.LinkRaw, 1, target{flows: true})
	if err != nil {
		return nil, err
	}
	program, _ := bpf.Disassemble(raw)
	vm, err := bpf.NewVM(program)
	if err != nil {
		return nil, &Error{text, 0, err.Error()}
	}
	return &Flows{vm}, nil
}

// Match tells whether the expression holds for a flow. The program is run over the
// packet that such a flow might begin with.
func (f *Flows) Match(client, server tables.Addr, clientPort, serverPort uint16, protocol uint8) bool {
	var b [60]byte
	ports := 20
	if client.Is4() && server.Is4() {
		b[0], b[9] = 0x45, protocol
		binary.BigEndian.PutUint32(b[12:], uint32(client.Lo))
		binary.BigEndian.PutUint32(b[16:], uint32(server.Lo))
	} else {
		ports = 40
		b[0], b[6] = 0x60, protocol
		for i, a := range []tables.Addr{client, server} {
			binary.BigEndian.PutUint64(b[8+16*i:], a.Hi)
			binary.BigEndian.PutUint64(b[16+16*i:], a.Lo)
		}
	}
	binary.BigEndian.PutUint16(b[ports:], clientPort)
	binary.BigEndian.PutUint16(b[ports+2:], serverPort)
	n, err := f.vm.Run(b[:])
	return n > 0 && err == nil
}

// ofPackets is the error of what flows can't be divided by.
func (p *parser) ofPackets(at token) error {
	return &Error{p.text, at.at, fmt.Sprintf("%q is not expected: flows are told by host, net, port and protocol alone,", at.text)}
}
