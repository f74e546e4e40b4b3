package settle

import (
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// Key is what conversations are told apart within: a conversation is the rows of
// one key that no silence divides. The lower end comes first, so that both
// directions have the same. The cid tells ICMP's types apart; it is a hash, and
// the tuple beside it confirms it.
type Key struct {
	cid        uint64
	tunnelID   int64
	low, high  tables.Addr
	lowPort    int32
	highPort   int32
	protocol   int32
	site       name
	tunnelType name
}

// key orders the ends; side is 0 when the source is the lower one.
func (t *texts) key(site string, cid uint64, src, dst tables.Addr, srcPort, dstPort, protocol int32, tunnelType string, tunnelID int64) (k Key, side uint8) {
	k = Key{site: t.name(site), tunnelType: t.name(tunnelType), cid: cid, tunnelID: tunnelID,
		low: src, high: dst, lowPort: srcPort, highPort: dstPort, protocol: protocol}
	if c := src.Compare(dst); c > 0 || c == 0 && srcPort > dstPort {
		k.low, k.high, k.lowPort, k.highPort = dst, src, dstPort, srcPort
		return k, 1
	}
	return k, 0
}

func (t *texts) exportKey(x *tables.Export) (Key, uint8) {
	return t.key(x.Site, x.CID, x.Src, x.Dst, x.SrcPort, x.DstPort, x.Protocol, x.TunnelType, x.TunnelID.V)
}

func (t *texts) flowKey(f *tables.Flow) (Key, uint8) {
	return t.key(f.Site, f.CID, f.Src, f.Dst, f.SrcPort, f.DstPort, f.Protocol, f.TunnelType, f.TunnelID.V)
}

// name is the number of a text: sites, tunnels' types, and observers are few, and
// what a book has millions of holds no pointers.
type name uint32

// texts numbers texts; 0 is the empty one.
type texts struct {
	of      []string
	numbers map[string]name
	last    [4]name // asked for
	at      int
}

func (t *texts) name(s string) name {
	if s == "" {
		return 0
	}
	for _, n := range t.last {
		if t.of[n] == s {
			return n
		}
	}
	n, ok := t.numbers[s]
	if !ok {
		n = name(len(t.of))
		s = strings.Clone(s)
		t.numbers[s], t.of = n, append(t.of, s)
	}
	t.last[t.at] = n
	t.at = (t.at + 1) % len(t.last)
	return n
}

// ID names a conversation. The same capture imported for two sites has the same
// ids in both.
type ID struct {
	ConnID tables.ID
	Site   string
}

const (
	// IdleTCP and idleOther are the silences that end a conversation: the
	// meter's defaults, so that both kinds of observers divide alike.
	IdleTCP   = 300 * tables.Time(1e6)
	idleOther = 60 * tables.Time(1e6)
	// Skew is how far an exporter's clock may be off a sensor's for its rows
	// to be those of the conversation the sensor metered.
	Skew = 2 * tables.Time(1e6)
	// Slack: a sensor that exporters' rows outlast by more was not there all
	// the time, and its counters are not the conversation's.
	Slack = 10 * tables.Time(1e6)
)

func (k *Key) idle() tables.Time {
	if k.protocol == tables.ProtocolTCP {
		return IdleTCP
	}
	return idleOther
}
