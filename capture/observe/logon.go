package observe

import (
	"bytes"

	"github.com/wiresql/wiresql/tables"
)

// logon is a login by tokens of GSS-API that is under way (RFC 2743, RFC 4178): a session
// setup of SMB, a bind of DCE/RPC or LDAP, HTTP's Negotiate. Who takes the protocol around
// it apart gives it each token, and tells what the server decided; then it can begin anew.
// What it says of itself lasts over a restart.
type logon struct {
	Row   tables.Login
	Shown bool // the client has sent what it is judged by: an answer to a challenge, a ticket
}

// kerberosOIDs are what Kerberos is called in tokens: RFC 4121, and Windows' mistake.
var kerberosOIDs = [][]byte{
	{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}, {0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02},
}

// token reads a token that an end sent (0 the client, 1 the server): NTLM or Kerberos, bare
// or in SPNEGO. from is the packet it begins in.
func (l *logon) token(o *Observer, of *Peers, side int, b []byte, from *Origin) {
	for range 4 { // SPNEGO, its message, GSS-API, the mechanism's
		if bytes.HasPrefix(b, ntlmSignature) {
			l.ntlm(o, of, side, b, from)
			return
		}
		r := ber(b)
		tag, content, ok := r.next()
		if !ok {
			return
		}
		switch tag {
		case 0x60: // the first of a mechanism
			_, oid, _ := content.next()
			if isKerberosOID(oid) && len(content) > 2 { // behind the kind of token
				b = content[2:]
			} else {
				b = content
			}
		case 0xa0: // NegTokenInit; its guess at the mechanism comes first
			b = content.at(berSequence).field(2)
		case 0xa1: // NegTokenResp
			b = content.at(berSequence).field(2)
		case kerberosAPReq:
			l.ticket(o, of, content.at(berSequence), from)
			return
		case kerberosError:
			if code := content.at(berSequence).field(6); side == 1 && l.Row.Protocol == tables.LoginKerberosAP && len(code) > 0 {
				l.Row.Error = kerberosErrorName(code.number())
			}
			return
		default:
			return
		}
	}
}

func isKerberosOID(oid []byte) bool {
	return bytes.Equal(oid, kerberosOIDs[0]) || bytes.Equal(oid, kerberosOIDs[1])
}

// begin makes sure of a row.
func (l *logon) begin(o *Observer, of *Peers, from *Origin, protocol string) {
	if l.Row.Protocol != protocol {
		l.settle(o, tables.LoginUnknown, "")
		l.Row = newLogin(of, from, protocol)
	}
}

// ticket reads what is shown to a service.
func (l *logon) ticket(o *Observer, of *Peers, m ber, from *Origin) {
	l.begin(o, of, from, tables.LoginKerberosAP)
	l.Row.TicketEtype, l.Shown = readTicket(m.at(0xa3), &l.Row), true
}

// settle writes the row, if there is one, with what became of it. A login of which only
// greetings were exchanged is none.
func (l *logon) settle(o *Observer, outcome, err string) {
	if l.Shown {
		l.Row.Outcome = outcome
		if err != "" {
			l.Row.Error = err
		}
		if l.Row.Protocol == tables.LoginKerberosAP && outcome == tables.LoginSucceeded {
			o.learnService(&l.Row)
		}
		o.writeLogin(&l.Row)
	}
	*l = logon{}
}

// status is settle by an NTSTATUS ([MS-ERREF] section 2.3), unless that says that the
// login goes on.
func (l *logon) status(o *Observer, status uint32) {
	switch {
	case status == statusMoreProcessing:
	case ntFailed(status):
		l.settle(o, tables.LoginFailed, ntStatusName(status))
	default:
		l.settle(o, tables.LoginSucceeded, "")
	}
}

// writeLogin writes a row, names folded: Windows does not tell them apart by case.
func (o *Observer) writeLogin(row *tables.Login) {
	for _, name := range []*string{&row.Username, &row.Domain, &row.Service} {
		*name = tables.FoldCase(*name)
	}
	o.write(row)
}

// newLogin begins a row.
func newLogin(of *Peers, from *Origin, protocol string) tables.Login {
	return tables.Login{TS: tables.TimeOf(from.TS), Sensor: of.Sensor, Site: of.Site, Client: of.Client, ClientPort: int32(of.ClientPort),
		Server: of.Server, ServerPort: int32(of.ServerPort), Protocol: protocol, Outcome: tables.LoginUnknown,
		ConnID: of.Conn, FlowID: from.FlowID, PacketID: tables.Opt[tables.ID]{V: from.PacketID, Set: from.Kept}}
}
