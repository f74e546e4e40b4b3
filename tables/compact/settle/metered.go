package settle

import (
	"slices"

	"github.com/wiresql/wiresql/tables"
)

// Metered is what a sensor metered of one conversation, put together from its
// rows, which are its pieces too: the meter numbers them.
type Metered struct {
	// Resolved is the name the client had resolved when it began.
	Resolved string

	row       tables.Connection
	first     bool  // piece 1 was seen
	last      int32 // highest piece seen, whose state counts
	total     int32 // number of the last piece, 0 until known
	named     int32 // the piece the server's name is from
	encrypted bool
	latest    tables.Time
	tunnel    string
	tunnelID  int64
	fresh     bool           // some row is new in this run
	profile   tables.Profile // of several pieces
	flags     [2]int32
	was       []tables.ID   // the conversations that rows of earlier runs are of
	in        *Conversation // as divided
	elsewhere bool          // another book writes its connection; see Book.Fold
	role      role
}

// role is how a sensor's rows stand in their conversation.
type role uint8

const (
	leads   role = iota // its packets are the conversation's
	beside              // they are, too: of a direction that the leading sensor saw nothing of
	follows             // the leading sensor's packets stand for them
)

// side is the end that is the client.
func (m *Metered) side() int {
	r := &m.row
	if c := r.Client.Compare(r.Server); c > 0 || c == 0 && r.ClientPort > r.ServerPort {
		return 1
	}
	return 0
}

// count is what it counted in all, and packets what an end sent.
func (m *Metered) count() int64 { return tables.AddCounts(m.packets(0), m.packets(1)) }

func (m *Metered) packets(side int) int64 {
	if side == m.side() {
		return m.row.ClientPackets.V
	}
	return m.row.ServerPackets.V
}

// FlowColumns are the columns of a flow row that Add reads: a third of its bytes.
var FlowColumns = []string{"ts", "ts_end", "sensor", "site", "src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port",
	"protocol_number", "icmp_type", "icmp_code", "bytes", "packets", "reverse_bytes", "reverse_packets", "wire_bytes",
	"reverse_wire_bytes", "service", "conn_state", "oriented_by", "sampling_rate", "action", "piece", "last_piece",
	"server_name", "encrypted", "tunnel_type", "tunnel_id", "cid", "conn_id", "segments", "cut_packets",
	"tcp_flags_number", "reverse_tcp_flags_number", "metered_id", "flows_folded"}

// SettledFlowColumns are those that FlowAgain reads.
var SettledFlowColumns = append(slices.Clone(FlowColumns), "flow_id", "joined_id")

// Whole tells that all pieces were seen.
func (m *Metered) Whole() bool { return m.first && m.total > 0 && m.row.Pieces >= m.total }

// Latest is the last instant of its rows.
func (m *Metered) Latest() tables.Time { return m.latest }

// Add counts a row in.
func (m *Metered) Add(f *tables.Flow) {
	r := &m.row
	piece := max(f.Piece.V, 1)
	if r.Pieces == 0 {
		*r = tables.Connection{TS: f.TS, TSEnd: f.TSEnd, Site: f.Site, Sensor: f.Sensor,
			Client: f.Src, ClientPort: f.SrcPort, Server: f.Dst, ServerPort: f.DstPort, Protocol: f.Protocol,
			ICMPType: f.ICMPType, ICMPCode: f.ICMPCode, Service: f.Service, SeenBy: f.Sensor,
			OrientedBy: f.OrientedBy, Sampling: f.Sampling, Action: f.Action, CID: f.CID, ConnID: f.Metered()}
		m.tunnel, m.tunnelID = f.TunnelType, f.TunnelID.V
	}
	if r.Pieces == 1 {
		m.profile.Add(r.TS, r.TSEnd, tables.AddCounts(r.ClientBytes.V, r.ServerBytes.V))
	}
	if r.Pieces > 0 {
		m.profile.Add(f.TS, f.TSEnd, tables.AddCounts(f.Bytes, f.ReverseBytes.V))
	}
	if piece == 1 {
		m.first = true
		r.ICMPType, r.ICMPCode, r.OrientedBy = f.ICMPType, f.ICMPCode, f.OrientedBy
	}
	if piece > m.last {
		m.last, r.ConnState, r.Service = piece, f.ConnState, f.Service
	}
	if f.LastPiece.V {
		m.total = piece
	}
	r.Pieces++
	r.TS, r.TSEnd = min(r.TS, f.TS), max(r.TSEnd, f.TSEnd)
	m.latest = max(m.latest, f.TSEnd)
	count(&r.ClientBytes, tables.Some(f.Bytes))
	count(&r.ClientPackets, tables.Some(f.Packets))
	count(&r.ServerBytes, f.ReverseBytes)
	count(&r.ServerPackets, f.ReversePackets)
	count(&r.ClientWireBytes, f.WireBytes)
	count(&r.ServerWireBytes, f.ReverseWireBytes)
	count(&r.CutPackets, f.CutPackets)
	m.encrypted = m.encrypted || f.Encrypted.V
	m.flags[0] |= f.TCPFlags.V
	m.flags[1] |= f.ReverseTCPFlags.V
	if f.ServerName != "" && (r.ServerName == "" || piece < m.named) {
		r.ServerName, m.named = f.ServerName, piece
	}
	count(&r.FlowsFolded, f.FlowsFolded)
	addSegments(r, f.Segments)
}

func addSegments(r *tables.Connection, segments []int32) {
	if r.Segments == nil && len(segments) > 0 {
		r.Segments = slices.Clip(segments) // the row's own: to insert into it makes another
		return
	}
	for _, s := range segments {
		if i, found := slices.BinarySearch(r.Segments, s); !found {
			r.Segments = slices.Insert(r.Segments, i, s)
		}
	}
}

func count(sum *tables.Opt[int64], v tables.Opt[int64]) {
	if v.Set {
		*sum = tables.Some(tables.AddCounts(sum.V, v.V))
	}
}

// Complete is the connection, but for what exporters reported of it.
func (m *Metered) Complete() tables.Connection {
	r := m.row
	if r.ServerName == "" {
		r.ServerName = m.Resolved
	}
	if len(m.profile) > 1 {
		r.Profile = m.profile.Append(nil, r.TS)
	}
	r.Visibility = visibility(&r, m.encrypted)
	return r
}

func visibility(r *tables.Connection, encrypted bool) string {
	switch {
	case r.Segments == nil:
		return ""
	case r.CutPackets.V > 0:
		return tables.Cut
	case r.ClientPackets.V == 0 || r.ServerPackets.V == 0:
		return tables.OneSided
	case encrypted:
		return tables.Encrypted
	}
	return tables.Clear
}
