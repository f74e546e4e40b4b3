package capture

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// undecoded counts packets in which IP may be that tables.Decode can't find, by
// what stands in its way.
type undecoded map[obstacle]int64

type obstacle struct {
	err       tables.DecodeError
	link      tables.LinkType
	etherType uint16
}

const (
	// maxObstacles bounds the EtherTypes told apart; the others are one more.
	maxObstacles = 64
	// maxNotDecoded is the size of the column not_decoded.
	maxNotDecoded = 1024
)

func (u undecoded) add(link tables.LinkType, h *tables.Header) {
	o := obstacle{err: h.Err, link: link, etherType: h.EtherType}
	if _, ok := u[o]; !ok && len(u) >= maxObstacles {
		o = obstacle{err: tables.ErrEtherType}
	}
	u[o]++
}

func (u undecoded) total() (n int64) {
	for _, k := range u {
		n += k
	}
	return n
}

// text names them, the most frequent first; empty when all were decoded.
func (u undecoded) text(packets int64) string {
	kinds := slices.SortedFunc(maps.Keys(u), func(a, b obstacle) int {
		return cmp.Or(cmp.Compare(u[b], u[a]), cmp.Compare(a.link, b.link), cmp.Compare(a.etherType, b.etherType), cmp.Compare(a.err, b.err))
	})
	var lines []string
	size := 0
	for i, o := range kinds {
		line := fmt.Sprintf("%d of %d packets %s, not decoded", u[o], packets, o)
		if size += len(line) + 2; size > maxNotDecoded-40 {
			lines = append(lines, fmt.Sprintf("and %d kinds more", len(kinds)-i))
			break
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

func (o obstacle) String() string {
	switch o.err {
	case tables.ErrLinkType:
		return fmt.Sprintf("have link type %v", o.link)
	case tables.ErrEtherType:
		if o.etherType == 0 {
			return "have other EtherTypes"
		}
		return "have EtherType " + tables.EtherTypeName(o.etherType)
	case tables.ErrEncrypted:
		return fmt.Sprintf("of link type %v are encrypted", o.link)
	case tables.ErrWifiFragment:
		return fmt.Sprintf("of link type %v are later fragments of a frame", o.link)
	}
	if o.etherType != 0 {
		return fmt.Sprintf("have an unknown protocol in EtherType %s", tables.EtherTypeName(o.etherType))
	}
	return fmt.Sprintf("have an unknown protocol in link type %v", o.link)
}
