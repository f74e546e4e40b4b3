package observe

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"github.com/wiresql/wiresql/tables"
)

// NTLM messages as they stand in SMB, DCE/RPC, LDAP, HTTP and others ([MS-NLMP]
// section 2.2.1): a server's challenge names the server, a client's answer the
// machine it comes from and who logs in. The answer itself is not kept.

const (
	ntlmNegotiate    = 1
	ntlmChallenge    = 2
	ntlmAuthenticate = 3
	ntlmUnicode      = 1 // NTLMSSP_NEGOTIATE_UNICODE
	// Attributes of a challenge, and of an answer to it ([MS-NLMP] section 2.2.2.1).
	ntlmNetBIOSComputer = 1
	ntlmDNSComputer     = 3
	ntlmTargetName      = 9
	// ntlmAttributes is where attributes begin in an answer of NTLMv2.
	ntlmAttributes = 16 + 28
	// machineHold is how long a machine is believed to have an address after it
	// said its name there, in seconds.
	machineHold = 24 * 3600
	// machineLead is how long before it said so it had it: the conversation in
	// which it says its name is older. In microseconds.
	machineLead = 60_000_000
)

var ntlmSignature = []byte("NTLMSSP\x00")

// ntlmMessage is what a message says in clear; names as they were sent.
type ntlmMessage struct {
	kind                                      uint32
	user, domain, workstation, server, target string
}

// readNTLM reads a message that begins with ntlmSignature.
func readNTLM(b []byte) (m ntlmMessage) {
	if len(b) < 12 {
		return m
	}
	switch m.kind = binary.LittleEndian.Uint32(b[8:]); m.kind {
	case ntlmChallenge:
		attributes := ntlmField(b, 40)
		if m.server = ntlmAttribute(attributes, ntlmDNSComputer); m.server == "" {
			m.server = ntlmAttribute(attributes, ntlmNetBIOSComputer)
		}
	case ntlmAuthenticate:
		text := func(b []byte) string { return plainText(b, maxUser) }
		if len(b) >= 64 && binary.LittleEndian.Uint32(b[60:])&ntlmUnicode != 0 {
			text = utf16Text
		}
		m.domain, m.user, m.workstation = text(ntlmField(b, 28)), text(ntlmField(b, 36)), text(ntlmField(b, 44))
		if answer := ntlmField(b, 20); len(answer) > ntlmAttributes {
			m.target = ntlmAttribute(answer[ntlmAttributes:], ntlmTargetName)
		}
	}
	return m
}

// ntlmAttribute finds an attribute that is text.
func ntlmAttribute(list []byte, wanted uint16) string {
	for len(list) >= 4 {
		id, n := binary.LittleEndian.Uint16(list), int(binary.LittleEndian.Uint16(list[2:]))
		if n > len(list)-4 || id == 0 {
			break
		}
		if id == wanted {
			return utf16Text(list[4 : 4+n])
		}
		list = list[4+n:]
	}
	return ""
}

// ntlm reads a message of a login.
func (l *logon) ntlm(o *Observer, of *Peers, side int, b []byte, from *Origin) {
	m := readNTLM(b)
	switch m.kind {
	case ntlmNegotiate:
		if l.Shown {
			l.settle(o, tables.LoginUnknown, "")
		}
		l.begin(o, of, from, tables.LoginNTLM)
	case ntlmChallenge:
		l.begin(o, of, from, tables.LoginNTLM)
		l.Row.ServerName = machineName(m.server)
		o.learnName(of, side, l.Row.ServerName, tables.SourceNTLM, from)
	case ntlmAuthenticate:
		l.begin(o, of, from, tables.LoginNTLM)
		l.Shown = true
		l.Row.Username, l.Row.Domain, l.Row.Service = cutText(m.user, maxUser), cutText(m.domain, maxUser), cutText(m.target, maxUser)
		l.Row.Workstation = machineName(m.workstation)
		o.learnName(of, side, l.Row.Workstation, tables.SourceNTLM, from)
	}
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

// learnName notes what a machine calls itself: the end of a side, 0 the client.
func (o *Observer) learnName(of *Peers, side int, name, source string, from *Origin) {
	addr := of.Client
	if side == 1 {
		addr = of.Server
	}
	if ts := tables.TimeOf(from.TS); name != "" && isHost(addr) && from.TS != 0 {
		o.writeName(&tables.Name{TS: max(ts-machineLead, 0), Name: name, Addr: addr, Source: source, ValidUntil: until(ts, machineHold), Sensor: of.Sensor, Site: of.Site})
	}
}

// learnMachine notes the machine whose account logs in from a client: NAME$, or
// host/NAME of a machine that is no Windows.
func (o *Observer) learnMachine(of *Peers, account, source string, from *Origin) {
	name, machine := strings.CutSuffix(account, "$")
	if !machine {
		name, machine = strings.CutPrefix(account, "host/")
	}
	if machine {
		o.learnName(of, 0, machineName(name), source, from)
	}
}

// learnService notes the machine whose service took a ticket: the name it was for
// is one of its own.
func (o *Observer) learnService(row *tables.Login) {
	class, name, _ := strings.Cut(row.Service, "/")
	name, _, _ = strings.Cut(name, "/")
	switch strings.ToLower(class) {
	case "host", "cifs", "ldap", "termsrv", "wsman", "rpcss":
		of := Peers{Client: row.Client, Server: row.Server, Sensor: row.Sensor, Site: row.Site}
		name, _, _ = strings.Cut(name, ":")
		o.learnName(&of, 1, machineName(name), tables.SourceKerberos, &Origin{TS: int64(row.TS) * 1000})
	}
}
