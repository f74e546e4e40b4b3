package collector

// numbering finds out what an IPFIX exporter's sequence numbers count. RFC 7011
// section 3.1 says: the data records, those of options included, before this
// message. Exporters in wide use count the records up to and including this
// message, or flow records only (softflowd 1.1 does both). Held against the
// RFC's rule each of their messages of another length would look like loss, or
// like a repetition.
//
// So every message is held against each rule, and the one that has been wrong
// least often holds. A lost message is wrong by all of them alike.
type numbering struct {
	wrong [numberings]uint16
	rule  int
	known bool // what follows, of the message before
	seq   uint32
	units [2]uint32 // all data records, flow records
}

const (
	allBefore   = iota // the RFC
	flowsBefore        // flow records before this message
	allUpTo            // all data records up to and including it
	flowsUpTo
	numberings
)

// next takes a message's number and its data records, all and flows alone; it
// returns the number as the RFC has it, of the records before the message, and
// what it stands for. changed says that another rule holds from now on, and
// expected is the number due by that one.
func (n *numbering) next(seq, all, flows uint32) (number, units, expected uint32, changed bool) {
	this := [2]uint32{all, flows}
	if n.known {
		step := seq - n.seq
		best := n.rule
		for rule := range n.wrong {
			due := n.units[rule%2]
			if rule >= allUpTo {
				due = this[rule%2]
			}
			if step != due {
				n.wrong[rule]++
			}
		}
		for rule, wrong := range n.wrong {
			if wrong < n.wrong[best] {
				best = rule
			}
		}
		if n.wrong[best] >= 1<<10 { // what was long ago counts less
			for rule := range n.wrong {
				n.wrong[rule] /= 2
			}
		}
		changed = best != n.rule
		n.rule = best
		expected = n.seq
		if best < allUpTo {
			expected += n.units[best%2]
		}
	}
	n.known, n.seq, n.units = true, seq, this
	units = this[n.rule%2]
	number = seq
	if n.rule >= allUpTo {
		number -= units
	}
	return number, units, expected, changed
}

// forget drops the message before: it could not be counted.
func (n *numbering) forget() { n.known = false }
