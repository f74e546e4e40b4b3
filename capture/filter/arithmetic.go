package filter

import (
	"fmt"
	"strconv"

	"golang.org/x/net/bpf"
)

// arithmetic are the operators of numbers and how they bind.
var arithmetic = map[string]struct {
	op    bpf.ALUOp
	binds int
}{
	"|": {bpf.ALUOpOr, 1}, "&": {bpf.ALUOpAnd, 1}, "^": {bpf.ALUOpXor, 1},
	"<<": {bpf.ALUOpShiftLeft, 2}, ">>": {bpf.ALUOpShiftRight, 2},
	"+": {bpf.ALUOpAdd, 3}, "-": {bpf.ALUOpSub, 3},
	"*": {bpf.ALUOpMul, 4}, "/": {bpf.ALUOpDiv, 4}, "%": {bpf.ALUOpMod, 4},
}

var relations = map[string]bpf.JumpTest{
	"=": bpf.JumpEqual, "==": bpf.JumpEqual, "!=": bpf.JumpNotEqual, "<": bpf.JumpLessThan,
	"<=": bpf.JumpLessOrEqual, ">": bpf.JumpGreaterThan, ">=": bpf.JumpGreaterOrEqual,
}

// constants are names of offsets and bits.
var constants = map[string]uint32{
	"icmptype": 0, "icmpcode": 1, "icmp6type": 0, "icmp6code": 1, "tcpflags": 13,
	"tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8, "tcp-ack": 16, "tcp-urg": 32, "tcp-ece": 64, "tcp-cwr": 128,
	"icmp-echoreply": 0, "icmp-unreach": 3, "icmp-sourcequench": 4, "icmp-redirect": 5, "icmp-echo": 8, "icmp-routeradvert": 9,
	"icmp-routersolicit": 10, "icmp-timxceed": 11, "icmp-paramprob": 12, "icmp-tstamp": 13, "icmp-tstampreply": 14,
	"icmp-ireq": 15, "icmp-ireqreply": 16, "icmp-maskreq": 17, "icmp-maskreply": 18,
	"icmp6-destinationunreach": 1, "icmp6-packettoobig": 2, "icmp6-timeexceeded": 3, "icmp6-parameterproblem": 4, "icmp6-echo": 128,
	"icmp6-echoreply": 129, "icmp6-multicastlistenerquery": 130, "icmp6-multicastlistenerreportv1": 131, "icmp6-multicastlistenerdone": 132,
	"icmp6-routersolicit": 133, "icmp6-routeradvert": 134, "icmp6-neighborsolicit": 135, "icmp6-neighboradvert": 136, "icmp6-redirect": 137,
}

// number is a computation: load leaves it in the accumulator. What it reads is
// there only in packets that pass needs.
type number struct {
	load  func(g *code)
	needs []test
	fixed *uint32 // when it is a constant
}

func constant(n uint32) number {
	return number{load: func(g *code) { g.add(bpf.LoadConstant{Dst: bpf.RegA, Val: n}) }, fixed: &n}
}

// scratch is how many words of memory a program has.
const scratch = 16

// held runs f with the accumulator put aside, and gives it back in the index
// register's place: f's own result stands in the accumulator.
func (g *code) held(f func()) {
	if g.slots == scratch {
		g.err = fmt.Errorf("it computes too much at a time")
		return
	}
	slot := g.slots
	g.slots++
	g.add(bpf.StoreScratch{Src: bpf.RegA, N: slot})
	f()
	g.add(bpf.LoadScratch{Dst: bpf.RegX, N: slot})
	g.slots--
}

// comparison reads two numbers and how they relate.
func (p *parser) comparison() (test, error) {
	left, err := p.sum(1, 0)
	if err != nil {
		return nil, err
	}
	o := p.peek()
	cond, ok := relations[o.text]
	if !ok {
		return nil, p.fail("%q is not expected: numbers are compared", o.text)
	}
	p.at++
	right, err := p.sum(1, 0)
	if err != nil {
		return nil, err
	}
	compare := func(g *code, yes, no label) {
		if right.fixed != nil {
			left.load(g)
			g.when(cond, *right.fixed, yes, no)
			return
		}
		right.load(g)
		g.held(func() { left.load(g) })
		g.whenX(cond, yes, no)
	}
	return every(append(append(left.needs, right.needs...), compare)...), nil
}

// sum reads a computation of operators that bind at least so.
func (p *parser) sum(binds, depth int) (number, error) {
	left, err := p.operand(depth)
	if err != nil {
		return left, err
	}
	for {
		o := p.peek()
		a, ok := arithmetic[o.text]
		if !ok || a.binds < binds {
			return left, nil
		}
		p.at++
		right, err := p.sum(a.binds+1, depth+1)
		if err != nil {
			return left, err
		}
		if right.fixed != nil && *right.fixed == 0 && (o.text == "/" || o.text == "%") {
			return left, &Error{p.text, o.at, "a division by zero"}
		}
		if right.fixed != nil && *right.fixed > 31 && a.binds == 2 {
			return left, &Error{p.text, o.at, "a shift by more than 31 bits"}
		}
		l := left
		// What the right one needs is not asked for, as libpcap does not.
		left = number{needs: l.needs, load: func(g *code) {
			if right.fixed != nil {
				l.load(g)
				g.add(bpf.ALUOpConstant{Op: a.op, Val: *right.fixed})
				return
			}
			right.load(g)
			g.held(func() { l.load(g) })
			g.add(bpf.ALUOpX{Op: a.op})
		}}
	}
}

func (p *parser) operand(depth int) (number, error) {
	if depth > maxNesting {
		return number{}, p.fail("it nests too deep")
	}
	t := p.peek()
	if _, ok := p.take("("); ok {
		n, err := p.sum(1, depth+1)
		if err == nil {
			if _, ok := p.take(")"); !ok {
				err = p.fail("%q is not expected: a parenthesis is to be closed", p.peek().text)
			}
		}
		return n, err
	}
	if _, ok := p.take("-"); ok {
		n, err := p.operand(depth + 1)
		return number{needs: n.needs, load: func(g *code) {
			n.load(g)
			g.add(bpf.TAX{}, bpf.LoadConstant{Dst: bpf.RegA}, bpf.ALUOpX{Op: bpf.ALUOpSub})
		}}, err
	}
	if !t.word {
		return number{}, p.fail("%q is not expected: a number is", t.text)
	}
	p.at++
	if t.text == "len" {
		return number{load: func(g *code) { g.add(bpf.LoadExtension{Num: bpf.ExtLen}) }}, nil
	}
	if n, err := strconv.ParseUint(t.text, 0, 32); err == nil {
		return constant(uint32(n)), nil
	}
	if n, ok := constants[t.text]; ok {
		return constant(n), nil
	}
	if p.peek().text != "[" {
		return number{}, &Error{p.text, t.at, fmt.Sprintf("%q is no number", t.text)}
	}
	p.at++
	return p.bytes(t, depth)
}

// bytes reads offset and size of bytes of a protocol's header.
func (p *parser) bytes(proto token, depth int) (number, error) {
	offset, err := p.sum(1, depth+1)
	if err != nil {
		return number{}, err
	}
	size := 1
	if _, ok := p.take(":"); ok {
		if size = map[string]int{"1": 1, "2": 2, "4": 4}[p.peek().text]; size == 0 {
			return number{}, p.fail("%q is not expected: sizes are 1, 2 and 4", p.peek().text)
		}
		p.at++
	}
	if _, ok := p.take("]"); !ok {
		return number{}, p.fail("%q is not expected: a bracket is to be closed", p.peek().text)
	}
	n := number{needs: offset.needs}
	tags := p.tags
	base := func(g *code) uint32 { return g.network() } // of what stands at a known place
	header := false                                     // behind IPv4's header
	switch o := protocols[proto.text]; {
	case proto.text == "ether":
		base, tags = func(*code) uint32 { return 0 }, 0
		n.needs = append(n.needs, func(g *code, yes, no label) {
			if g.raw {
				g.jump(no)
			} else {
				g.jump(yes)
			}
		})
	case etherTypes[proto.text] != 0:
		n.needs = append(n.needs, p.ether(etherTypes[proto.text]))
	case proto.text == "icmp6":
		n.needs = append(n.needs, p.ether(0x86dd), p.field(6, 1, ^uint32(0), 58))
		base = func(g *code) uint32 { return g.network() + 40 }
	case o.number != 0:
		n.needs = append(n.needs, p.carries(o.number, true, false), p.first())
		header = true
	default:
		return n, &Error{p.text, proto.at, fmt.Sprintf("%q has no bytes that are known here", proto.text)}
	}
	n.load = func(g *code) {
		if offset.fixed != nil {
			if header {
				at := g.transport(tags)
				g.add(bpf.LoadIndirect{Off: at + *offset.fixed, Size: size})
			} else {
				g.load(tags, base(g)+*offset.fixed, size)
			}
			return
		}
		// The offset plus what the index register moves by, if anything.
		offset.load(g)
		at, moved := uint32(0), true
		g.held(func() {
			if header {
				at = g.transport(tags)
			} else {
				at, moved = g.shift(tags)
				at += base(g)
			}
			if moved {
				g.add(bpf.TXA{})
			} else {
				g.add(bpf.LoadConstant{Dst: bpf.RegA, Val: 0})
			}
		})
		g.add(bpf.ALUOpX{Op: bpf.ALUOpAdd}, bpf.TAX{}, bpf.LoadIndirect{Off: at, Size: size})
	}
	return n, nil
}
