package capture

import "github.com/wiresql/wiresql/tables"

// What one side of a TCP conversation has sent.
const (
	sentSyn    = 1 << iota // SYN without ACK
	sentSynAck             // SYN with ACK
	sentFin
	sentRst
	sentOther // anything without SYN, FIN and RST
)

// How a TCP conversation ended.
const (
	endOpen   = iota
	endFin    // both sides sent FIN
	endClient // the client sent the first RST
	endServer // the server did
)

// tcpState is what the connection state is told from. Index 0 is the client.
type tcpState struct {
	sent [2]uint8
	end  uint8
}

// add notes a segment. What comes after the end changes nothing: not the RST
// that impatient stacks send after FINs from both sides, nor stragglers.
func (s *tcpState) add(dir int, flags uint16) {
	if s.end != endOpen {
		return
	}
	var bit uint8
	switch {
	case flags&tables.TCPRst != 0:
		bit = sentRst
		s.end = uint8(endClient + dir)
	case flags&tables.TCPSyn != 0 && flags&tables.TCPAck != 0:
		bit = sentSynAck
	case flags&tables.TCPSyn != 0:
		bit = sentSyn
	default:
		bit = sentOther
	}
	if flags&(tables.TCPFin|tables.TCPRst) == tables.TCPFin {
		bit |= sentFin
	}
	s.sent[dir] |= bit
	if s.end == endOpen && s.sent[0]&s.sent[1]&sentFin != 0 {
		s.end = endFin
	}
}

// closed tells that nothing but stragglers is to be expected.
func (s *tcpState) closed() bool { return s.end != endOpen }

// closing tells that some side has sent FIN or RST.
func (s *tcpState) closing() bool { return (s.sent[0]|s.sent[1])&(sentFin|sentRst) != 0 }

// unanswered is Zeek's S0: SYNs of the client and nothing else.
func (s *tcpState) unanswered() bool { return s.sent[0] == sentSyn && s.sent[1] == 0 }

// name is the state in the terms of Zeek's conn_state
// (https://docs.zeek.org/en/master/scripts/base/protocols/conn/main.zeek.html).
// Where Zeek reads a SYN into a side that was joined midway and only reset or
// closed, the answer here is OTH: nobody saw an attempt to connect.
func (s *tcpState) name() string {
	client, server := s.sent[0], s.sent[1]
	switch {
	case s.end == endFin:
		return tables.ConnSF
	case s.end == endServer:
		switch {
		case client&sentSyn != 0 && server == sentRst:
			return tables.ConnREJ
		case client != 0:
			return tables.ConnRSTR
		case server&sentSynAck != 0:
			return tables.ConnRSTRH
		}
	case s.end == endClient:
		switch {
		case server != 0:
			return tables.ConnRSTO
		case client&sentSyn != 0:
			return tables.ConnRSTOS0
		}
	case client&sentFin != 0:
		switch {
		case server != 0:
			return tables.ConnS2
		case client&sentSyn != 0:
			return tables.ConnSH
		}
	case server&sentFin != 0:
		switch {
		case client != 0:
			return tables.ConnS3
		case server&sentSynAck != 0:
			return tables.ConnSHR
		}
	case s.unanswered():
		return tables.ConnS0
	case client&sentSyn != 0 && server&sentSynAck != 0:
		return tables.ConnS1
	}
	return tables.ConnOTH
}
