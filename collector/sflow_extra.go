package collector

import (
	"strconv"
	"unicode/utf8"

	"github.com/wiresql/wiresql/tables"
)

// extraName is a key of an sFlow row's extra.
type extraName uint8

// The keys. Those that are IPFIX elements bear the element's name, the others
// that of the sFlow structure's member.
const (
	extraInput extraName = iota
	extraOutput
	extraOutputs
	extraUser
	extraDestinationUser
	extraTarget
	extraHost
	extraTunnelName
	extraTunnelID
	extraVCName
	extraVCID
	extraVNIOut
	extraVNIIn
	extraQueue
	extraACL
	extraACLName
	extraACLDirection
	extraFunction
	extraPostVLAN
	extraPriority
	extraDestinationPriority
	extraBGPHop
	extraPeerAS
	extraASPath
	extraCommunities
	extraPreference
	extraLabelOut
)

var extraNames = [...]string{
	extraInput:               "sflow/input",
	extraOutput:              "sflow/output",
	extraOutputs:             "sflow/output_interfaces",
	extraUser:                "userName",
	extraDestinationUser:     "sflow/dst_user",
	extraTarget:              "httpRequestTarget",
	extraHost:                "httpRequestHost",
	extraTunnelName:          "mplsTopLabelTunnelName",
	extraTunnelID:            "sflow/mpls_tunnel_id",
	extraVCName:              "sflow/mpls_vc_name",
	extraVCID:                "sflow/mpls_vc_id",
	extraVNIOut:              "sflow/vni_egress",
	extraVNIIn:               "sflow/vni_ingress",
	extraQueue:               "sflow/egress_queue",
	extraACL:                 "sflow/acl_number",
	extraACLName:             "sflow/acl_name",
	extraACLDirection:        "sflow/acl_direction",
	extraFunction:            "sflow/function",
	extraPostVLAN:            "postVlanId",
	extraPriority:            "dot1qPriority",
	extraDestinationPriority: "sflow/dst_priority",
	extraBGPHop:              "sflow/bgp_next_hop",
	extraPeerAS:              "bgpPrevAdjacentAsNumber",
	extraASPath:              "sflow/dst_as_path",
	extraCommunities:         "sflow/communities",
	extraPreference:          "sflow/localpref",
	extraLabelOut:            "sflow/mpls_out_label",
}

// extraText builds the JSON object of a row's extra. Texts come again and
// again (a route's path, a port's name), so that they are made once: a bounded
// number of them is remembered.
type extraText struct {
	b     []byte
	last  int    // where the last member begins
	cut   bool   // some members had no room
	seen  uint64 // keys that are there: the first of two is kept
	known map[string]string
	bytes int // in known
}

// What is remembered: so many bytes in texts of at most so many.
const (
	maxKnownTexts = 1 << 20
	maxKnownText  = 1 << 10
)

// maxExtra is the length of the column extra. Members beyond it are left out,
// and extraCut says so.
const (
	maxExtra = 16383
	extraCut = `"…":"cut"`
)

func (t *extraText) begin() { t.b, t.seen, t.last, t.cut = t.b[:0], 0, 0, false }

// next puts out what stands before a member's key.
func (t *extraText) next() {
	t.bound()
	t.last = len(t.b)
	if len(t.b) == 0 {
		t.b = append(t.b, '{')
	} else {
		t.b = append(t.b, ',')
	}
}

// bound takes back the last member when there is no room for it.
func (t *extraText) bound() {
	if len(t.b) > maxExtra-len(`,`+extraCut+`}`) {
		t.b, t.cut = t.b[:t.last], true
	}
}

// end returns the object; empty without members.
func (t *extraText) end() string {
	if t.bound(); t.cut {
		t.next()
		t.b = append(t.b, extraCut...)
	}
	if len(t.b) == 0 {
		return ""
	}
	t.b = append(t.b, '}')
	return t.intern(t.b)
}

// intern returns b as a string that lasts.
func (t *extraText) intern(b []byte) string {
	if s, ok := t.known[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(s) > maxKnownText {
		return s
	}
	// An entry of the map costs about 64 bytes besides its text.
	if t.bytes += len(s) + 64; t.bytes > maxKnownTexts || t.known == nil {
		t.known, t.bytes = map[string]string{}, len(s)+64
	}
	t.known[s] = s
	return s
}

// key begins a member; it tells false when there is one of that name.
func (t *extraText) key(name extraName) bool {
	if t.seen&(1<<name) != 0 {
		return false
	}
	t.seen |= 1 << name
	t.next()
	t.b = append(t.b, '"')
	t.b = append(t.b, extraNames[name]...)
	t.b = append(t.b, '"', ':')
	return true
}

func (t *extraText) number(name extraName, v uint64) {
	if t.key(name) {
		t.b = strconv.AppendUint(t.b, v, 10)
	}
}

func (t *extraText) address(name extraName, a tables.Addr) {
	if t.key(name) {
		t.b = append(t.b, '"')
		t.b = a.AppendTo(t.b)
		t.b = append(t.b, '"')
	}
}

// text adds a text; one without characters is none.
func (t *extraText) text(name extraName, v []byte) {
	if len(v) > 0 && t.key(name) {
		t.b = appendJSON(t.b, v)
	}
}

// numbers adds the 32-bit words of the lists as one.
func (t *extraText) numbers(name extraName, words []byte) {
	if len(words) < 4 || !t.key(name) {
		return
	}
	t.b = append(t.b, '[')
	for ; len(words) >= 4; words = words[4:] {
		t.b = strconv.AppendUint(t.b, uint64(words[0])<<24|uint64(words[1])<<16|uint64(words[2])<<8|uint64(words[3]), 10)
		t.b = append(t.b, ',')
	}
	t.b[len(t.b)-1] = ']'
}

// appendJSON appends text as a JSON string; bytes that are no UTF-8 become the
// replacement character.
func appendJSON(b, text []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for len(text) > 0 {
		c := text[0]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, n := utf8.DecodeRune(text)
			b = utf8.AppendRune(b, r)
			text = text[n:]
			continue
		}
		text = text[1:]
	}
	return append(b, '"')
}
