// Package filter compiles the capture filters of tcpdump (pcap-filter(7)) to
// the programs Linux runs over packets before they are handed over.
//
// It knows of the language what is asked of Ethernet and raw IP: host, net,
// port, portrange and proto with their qualifiers, the protocols by name, vlan,
// broadcast and multicast, less and greater, comparisons of bytes
// (tcp[tcpflags] & tcp-syn != 0), and, or, not and parentheses, with libpcap's
// meaning of each, which its tests ask tcpdump for. Names of hosts are not
// resolved. A word that is not known is an error, never a filter that takes
// something else.
package filter

import (
	"fmt"

	"golang.org/x/net/bpf"

	"github.com/wiresql/wiresql/tables"
)

// maxText bounds an expression.
const maxText = 16 << 10

// maxProgram is what the kernel takes (BPF_MAXINSNS).
const maxProgram = 4096

// Error says what of an expression is wrong, and where.
type Error struct {
	Text   string
	Offset int // in bytes
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("filter %q: %s at character %d", e.Text, e.Reason, e.Offset+1)
}

// Compile returns the program for packets of a link type as they come from an
// interface: the outermost VLAN tag is not in them but beside them. It takes
// snaplen bytes of those that pass; an empty expression passes all.
func Compile(text string, link tables.LinkType, snaplen int) ([]bpf.RawInstruction, error) {
	return compile(text, link, snaplen, target{live: true})
}

// target is what a program is run over: packets as they come from an interface;
// those that are stored, tags in them; or such as stand for flows.
type target struct{ live, flows bool }

func compile(text string, link tables.LinkType, snaplen int, of target) ([]bpf.RawInstruction, error) {
	if len(text) > maxText {
		return nil, &Error{text[:64] + "…", maxText, "it is too long"}
	}
	tokens, err := split(text)
	if err != nil {
		return nil, err
	}
	g := &code{live: of.live, raw: link == tables.LinkRaw}
	pass, drop := g.label(), g.label()
	if p := (&parser{text: text, tokens: tokens, flows: of.flows}); !p.end() {
		if link != tables.LinkEthernet && link != tables.LinkRaw {
			return nil, &Error{text, 0, fmt.Sprintf("packets of link type %d can't be filtered", link)}
		}
		t, err := p.expression(0)
		if err == nil && !p.end() {
			err = p.fail("%q is not expected", p.peek().text)
		}
		if err != nil {
			return nil, err
		}
		t(g, pass, drop)
	}
	g.mark(pass)
	g.add(bpf.RetConstant{Val: uint32(snaplen)})
	g.mark(drop)
	g.add(bpf.RetConstant{})
	program, err := g.assemble()
	if err != nil {
		return nil, &Error{text, 0, err.Error()}
	}
	return program, nil
}

// Incoming puts in front of a program that outgoing packets don't pass: of a
// loopback interface every packet is seen going out and coming in.
func Incoming(program []bpf.RawInstruction) []bpf.RawInstruction {
	const outgoing = 4 // PACKET_OUTGOING
	front, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: outgoing, SkipTrue: 1},
		bpf.RetConstant{},
	})
	if err != nil {
		panic(err) // of constants
	}
	return append(front, program...)
}
