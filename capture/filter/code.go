package filter

import (
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
)

// A test jumps to one of two labels. All jumps go forward.
type test func(g *code, yes, no label)

func not(a test) test { return func(g *code, yes, no label) { a(g, no, yes) } }

func every(list ...test) test {
	return func(g *code, yes, no label) {
		for _, t := range list[:len(list)-1] {
			next := g.label()
			t(g, next, no)
			g.mark(next)
		}
		list[len(list)-1](g, yes, no)
	}
}

func either(list ...test) test {
	return func(g *code, yes, no label) {
		for _, t := range list[:len(list)-1] {
			next := g.label()
			t(g, yes, next)
			g.mark(next)
		}
		list[len(list)-1](g, yes, no)
	}
}

type label int

// code is a program in the making.
type code struct {
	live  bool // tags stand beside packets
	raw   bool // packets begin with their IP header
	steps []step
	n     label
	slots int // of scratch memory in use
	err   error
}

// step is an instruction, a jump, or a mark where a label is.
type step struct {
	in      bpf.Instruction // nil of a mark
	yes, no label           // where a jump goes; a mark is yes
}

func (g *code) label() label { g.n++; return g.n }

func (g *code) mark(l label) { g.steps = append(g.steps, step{yes: l}) }

func (g *code) add(list ...bpf.Instruction) {
	for _, in := range list {
		g.steps = append(g.steps, step{in: in})
	}
}

func (g *code) jump(l label) { g.steps = append(g.steps, step{in: bpf.Jump{}, yes: l}) }

// when compares the accumulator with a number.
func (g *code) when(c bpf.JumpTest, value uint32, yes, no label) {
	g.steps = append(g.steps, step{in: bpf.JumpIf{Cond: c, Val: value}, yes: yes, no: no})
}

// whenX compares the accumulator with the index register.
func (g *code) whenX(c bpf.JumpTest, yes, no label) {
	g.steps = append(g.steps, step{in: bpf.JumpIfX{Cond: c}, yes: yes, no: no})
}

// assemble lays the program out from its end, where it is known how far each
// jump goes; one that is too far for a condition takes a jump of its own.
func (g *code) assemble() ([]bpf.RawInstruction, error) {
	if g.err != nil {
		return nil, g.err
	}
	var back []bpf.Instruction // the last one first
	at := map[label]int{}      // instructions from there to the end
	for _, s := range slices.Backward(g.steps) {
		skip := func(l label) int { return len(back) - at[l] }
		near := func(l label) uint8 {
			return uint8(skip(l)) // as far has made it
		}
		far := func(l label) label {
			if skip(l) <= 250 {
				return l
			}
			back = append(back, bpf.Jump{Skip: uint32(skip(l))})
			l = g.label()
			at[l] = len(back)
			return l
		}
		switch in := s.in.(type) {
		case nil:
			at[s.yes] = len(back)
		case bpf.Jump:
			if skip(s.yes) > 0 {
				back = append(back, bpf.Jump{Skip: uint32(skip(s.yes))})
			}
		case bpf.JumpIf:
			yes, no := far(s.yes), far(s.no)
			back = append(back, bpf.JumpIf{Cond: in.Cond, Val: in.Val, SkipTrue: near(yes), SkipFalse: near(no)})
		case bpf.JumpIfX:
			yes, no := far(s.yes), far(s.no)
			back = append(back, bpf.JumpIfX{Cond: in.Cond, SkipTrue: near(yes), SkipFalse: near(no)})
		default:
			back = append(back, in)
		}
	}
	if len(back) > maxProgram {
		return nil, fmt.Errorf("it takes %d instructions, of which the kernel takes %d,", len(back), maxProgram)
	}
	slices.Reverse(back)
	return bpf.Assemble(back)
}

// place is behind how many VLAN tags the network layer begins.
type place int

// network is where it begins, when no tag is in the packet.
func (g *code) network() uint32 {
	if g.raw {
		return 0
	}
	return 14
}

// shift returns by how much tags move what is behind them, as far as that is
// known; indexed, the index register has the rest: the outermost tag may stand
// in the packet or beside it.
func (g *code) shift(tags place) (fixed uint32, indexed bool) {
	if tags == 0 || !g.live {
		return uint32(4 * tags), false
	}
	g.add(bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		bpf.ALUOpConstant{Op: bpf.ALUOpXor, Val: 1}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2}, bpf.TAX{})
	return uint32(4 * (tags - 1)), true
}

// load loads bytes behind tags, by the offset they have where there are none.
func (g *code) load(tags place, offset uint32, size int) {
	if fixed, indexed := g.shift(tags); indexed {
		g.add(bpf.LoadIndirect{Off: offset + fixed, Size: size})
	} else {
		g.add(bpf.LoadAbsolute{Off: offset + fixed, Size: size})
	}
}

// transport sets the index register such that, at the offset it returns, there
// is what follows IPv4's header, whatever its length.
func (g *code) transport(tags place) uint32 {
	fixed, indexed := g.shift(tags)
	base := g.network() + fixed
	if !indexed {
		g.add(bpf.LoadMemShift{Off: base})
		return base
	}
	g.add(bpf.LoadIndirect{Off: base, Size: 1}, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 15},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2}, bpf.ALUOpX{Op: bpf.ALUOpAdd}, bpf.TAX{})
	return base
}
