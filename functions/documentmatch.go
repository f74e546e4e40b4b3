package functions

import (
	"strconv"
	"strings"

	"vitess.io/vitess/go/mysql/json"
)

// What a path finds. Package json reads paths; following them it takes all that
// is null, true or false in a document for one value, which it finds once.

// pathLeg is one step of a path.
type pathLeg struct {
	kind legKind
	name string // of a member
	// from and to are the first and the last of elements; below 0 they count
	// from the end, where -1 is the last.
	from, to int
}

type legKind uint8

const (
	aMember legKind = iota
	allMembers
	someElements
	allElements
	atAnyDepth
)

// legsOf takes a path apart, by the one way it is written.
func legsOf(path *json.Path) (legs []pathLeg) {
	for text := strings.TrimPrefix(path.String(), "$"); text != ""; {
		leg := pathLeg{}
		switch {
		case strings.HasPrefix(text, "**"):
			leg.kind, text = atAnyDepth, text[2:]
		case strings.HasPrefix(text, ".*"):
			leg.kind, text = allMembers, text[2:]
		case strings.HasPrefix(text, "[*]"):
			leg.kind, text = allElements, text[3:]
		case text[0] == '[':
			inside, rest, _ := strings.Cut(text[1:], "]")
			from, to, several := strings.Cut(inside, " to ")
			leg.kind, text = someElements, rest
			if leg.from = elementNumber(from); !several {
				leg.to = leg.from
			} else {
				leg.to = elementNumber(to)
			}
		default:
			text = text[1:]
			if quoted, err := strconv.QuotedPrefix(text); err == nil {
				leg.name, _ = strconv.Unquote(quoted)
				text = text[len(quoted):]
			} else {
				end := strings.IndexAny(text, ".[*")
				if end < 0 {
					end = len(text)
				}
				leg.name, text = text[:end], text[end:]
			}
		}
		legs = append(legs, leg)
	}
	return legs
}

// elementNumber reads 3, last and last-3.
func elementNumber(text string) int {
	back, last := strings.CutPrefix(text, "last")
	n, _ := strconv.Atoi(back)
	if last {
		n--
	}
	return n
}

// match calls found for what is at a path, in the document's order, each place
// once. What is no array is one of a single element.
func match(d *json.Value, path *json.Path, found func(*json.Value)) {
	m := matching{found: found, seen: map[place]bool{}}
	m.visit(legsOf(path), d, place{})
}

// place is where a value stands in a document.
type place struct {
	in   *json.Value
	name string // of a member, or
	at   int    // the number of an element
}

type matching struct {
	found func(*json.Value)
	seen  map[place]bool
}

func (m *matching) visit(legs []pathLeg, v *json.Value, at place) {
	if len(legs) == 0 {
		if !m.seen[at] {
			m.seen[at] = true
			m.found(v)
		}
		return
	}
	leg, rest := legs[0], legs[1:]
	object, isObject := v.Object()
	list, isArray := v.Array()
	switch leg.kind {
	case aMember:
		if isObject {
			if e := object.Get(leg.name); e != nil {
				m.visit(rest, e, place{in: v, name: leg.name})
			}
		}
	case allMembers:
		if isObject {
			for _, e := range membersOf(object) {
				m.visit(rest, e.value, place{in: v, name: e.name})
			}
		}
	case someElements:
		if !isArray {
			if leg.from == 0 || leg.from == -1 {
				m.visit(rest, v, at)
			}
			return
		}
		from, to := leg.from, leg.to
		if from < 0 {
			from += len(list)
		}
		if to < 0 {
			to += len(list)
		}
		for i := max(from, 0); from >= 0 && i <= min(to, len(list)-1); i++ {
			m.visit(rest, list[i], place{in: v, at: i})
		}
	case allElements:
		for i, e := range list {
			m.visit(rest, e, place{in: v, at: i})
		}
	case atAnyDepth:
		m.visit(rest, v, at)
		if isObject {
			for _, e := range membersOf(object) {
				m.visit(legs, e.value, place{in: v, name: e.name})
			}
		}
		for i, e := range list {
			m.visit(legs, e, place{in: v, at: i})
		}
	}
}
