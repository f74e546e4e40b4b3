package observe

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"github.com/wiresql/wiresql/tables"
)

// NTLM messages as they stand in SMB, DCE/RPC, LDAP and others ([MS-NLMP]
// section 2.2.1): a server's challenge names the server, a client's answer the
// machine it comes from. Only whole messages in one packet are read.

const (
	ntlmChallenge    = 2
	ntlmAuthenticate = 3
	ntlmUnicode      = 1 // NTLMSSP_NEGOTIATE_UNICODE
	// Attributes of a challenge ([MS-NLMP] section 2.2.2.1).
	ntlmNetBIOSComputer = 1
	ntlmDNSComputer     = 3
	// ntlmHold is how long a machine is believed to have an address after it
	// said its name there, in seconds.
	ntlmHold = 24 * 3600
)

var ntlmSignature = []byte("NTLMSSP\x00")

// speaksNTLM recognises protocols whose logon may be NTLM: SMB behind its
// length (MS-SMB2 section 2.1), DCE/RPC (C706 section 12.6.3.1), LDAP with
// lengths as Windows writes them.
func speaksNTLM(b []byte) bool {
	switch {
	case len(b) >= 8 && b[0] == 0 && string(b[5:8]) == "SMB" && b[4] >= 0xfc:
		return true
	case len(b) >= 10 && b[0] == 5 && b[1] <= 1 && int(binary.LittleEndian.Uint16(b[8:])) >= 16 && b[4]&0x10 != 0 && b[2] <= 20:
		return true
	}
	return len(b) >= 7 && b[0] == 0x30 && b[1] == 0x84 && b[6] == 2
}

// observeNTLM looks for a message in a packet, and says whether it was one that
// names a machine.
func (o *Observer) observeNTLM(p *Packet) bool {
	at := bytes.Index(p.Payload, ntlmSignature)
	if at < 0 {
		return false
	}
	name, known := ntlmName(p.Payload[at:])
	if ts := tables.TimeOf(p.TS); name != "" && isHost(p.Header.Src) {
		o.writeName(&tables.Name{TS: ts, Name: name, Addr: p.Header.Src, Source: tables.SourceNTLM,
			ValidUntil: until(ts, ntlmHold), Sensor: p.Sensor, Site: p.Site})
	}
	return known
}

// ntlmName is the name of the machine that sent a message; known tells that it
// is one of those that could say it.
func ntlmName(b []byte) (name string, known bool) {
	if len(b) < 12 {
		return "", false
	}
	switch binary.LittleEndian.Uint32(b[8:]) {
	case ntlmChallenge:
		netbios := ""
		for list := ntlmField(b, 40); len(list) >= 4; {
			id, n := binary.LittleEndian.Uint16(list), int(binary.LittleEndian.Uint16(list[2:]))
			if n > len(list)-4 || id == 0 {
				break
			}
			switch value := list[4 : 4+n]; id {
			case ntlmDNSComputer:
				name = machineName(utf16Text(value))
			case ntlmNetBIOSComputer:
				netbios = machineName(utf16Text(value))
			}
			list = list[4+n:]
		}
		if name == "" {
			name = netbios
		}
		return name, true
	case ntlmAuthenticate:
		workstation := ntlmField(b, 44)
		if len(b) >= 64 && binary.LittleEndian.Uint32(b[60:])&ntlmUnicode != 0 {
			return machineName(utf16Text(workstation)), true
		}
		return machineName(string(workstation)), true
	}
	return "", false
}

// ntlmField is what a field of length, room and offset points to.
func ntlmField(b []byte, at int) []byte {
	if len(b) < at+8 {
		return nil
	}
	n, offset := int64(binary.LittleEndian.Uint16(b[at:])), int64(binary.LittleEndian.Uint32(b[at+4:]))
	if offset+n > int64(len(b)) {
		return nil
	}
	return b[offset : offset+n]
}

func utf16Text(b []byte) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// machineName folds a name a machine calls itself by. Some write \\ before it.
func machineName(s string) string {
	if s = strings.TrimPrefix(s, `\\`); len(s) > tables.MaxHost {
		return ""
	}
	return hostName([]byte(s))
}
