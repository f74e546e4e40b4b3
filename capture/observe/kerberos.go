package observe

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// Kerberos 5 (RFC 4120): questions to a KDC with their answers, over UDP and TCP 88, and
// the tickets that are shown to services (see logon). Of tickets only what is in clear is
// read: for whom they are, and how they are encrypted.

const (
	portKerberos = 88
	// Tags of messages, application class.
	kerberosASReq  = 0x6a
	kerberosASRep  = 0x6b
	kerberosTGSReq = 0x6c
	kerberosTGSRep = 0x6d
	kerberosAPReq  = 0x6e
	kerberosError  = 0x7e
	kerberosTicket = 0x61
	// addressNetBIOS is the kind of address that is a machine's name.
	addressNetBIOS = 20

	// maxAsked is how many questions over UDP wait for their answer, or are remembered
	// after it, and askedLife how long.
	maxAsked  = 16384
	askedLife = 10e9
	// The columns' sizes.
	maxUser = 255
	// maxEtypes and maxParts bound lists.
	maxEtypes = 32
	maxParts  = 16
)

// ticketQuestion is a question to a KDC.
type ticketQuestion struct {
	Row     tables.Login
	Nonce   uint32
	Asked   bool
	Written bool
}

// beginsKerberos recognises a message over TCP, behind its length, of a port that is Kerberos'.
func beginsKerberos(b []byte) kind {
	switch {
	case len(b) < 5:
		return undecided
	case b[0]&0x80 == 0 && isKerberos(b[4]):
		return kerberosOverTCP
	}
	return unknown
}

func isKerberos(tag byte) bool {
	return tag >= kerberosASReq && tag <= kerberosTGSRep || tag == kerberosError
}

// kerberosReader reads messages over TCP.
type kerberosReader struct {
	Of       Peers
	Question ticketQuestion
	Done     bool
}

func (r *kerberosReader) over() bool  { return r.Done }
func (r *kerberosReader) opens() bool { return false }
func (r *kerberosReader) holds() int  { return 512 }

func (r *kerberosReader) end(o *Observer) {
	r.Done = true
	r.Question.write(o)
}

// lack: what is there of a message is read, the next one isn't found.
func (r *kerberosReader) lack(o *Observer, side int, rest []byte, n int) {
	if len(rest) > 4 && !r.Done {
		r.Question.message(o, &r.Of, rest[4:], &Origin{})
	}
	r.end(o)
}

func (r *kerberosReader) read(o *Observer, side int, b []byte, from *Origin) (used int) {
	for rest := b; len(rest) >= 4; rest = b[used:] {
		n := int64(binary.BigEndian.Uint32(rest)) + 4
		if n > maxRest {
			o.stats.Malformed++
			r.end(o)
			return len(b)
		}
		if n > int64(len(rest)) {
			break
		}
		r.Question.message(o, &r.Of, rest[4:n], from)
		used += int(n)
	}
	return used
}

// observeKerberos reads a message over UDP.
func (o *Observer) observeKerberos(p *Packet) {
	o.asked.expire(p.TS, o.unheard)
	of, from := p.peers(), p.origin()
	q := o.asked.get(p.ConnID)
	if q == nil {
		if len(p.Payload) == 0 || !isKerberos(p.Payload[0]) {
			return
		}
		var evicted bool
		if q, evicted = o.asked.add(p.ConnID, ticketQuestion{}, p.TS, o.unheard); evicted {
			o.stats.Evicted++
		}
	}
	q.message(o, &of, p.Payload, &from)
}

// unheard writes a question whose answer is no longer awaited.
func (o *Observer) unheard(q *ticketQuestion) { q.write(o) }

// write writes the row, once.
func (q *ticketQuestion) write(o *Observer) {
	if !q.Written && q.Row.Protocol != "" {
		q.Written = true
		o.writeLogin(&q.Row)
	}
}

// message reads a message to or from a KDC.
func (q *ticketQuestion) message(o *Observer, of *Peers, b []byte, from *Origin) {
	r := ber(b)
	tag, m, ok := r.next()
	if !ok {
		return
	}
	if m = m.at(berSequence); m == nil {
		return
	}
	protocol := tables.LoginKerberosAS
	if tag == kerberosTGSReq || tag == kerberosTGSRep {
		protocol = tables.LoginKerberosTGS
	}
	switch tag {
	case kerberosASReq, kerberosTGSReq:
		q.ask(o, of, m, from, protocol)
	case kerberosASRep, kerberosTGSRep:
		q.expect(of, from, protocol)
		if q.Written {
			return
		}
		row := &q.Row
		row.Outcome = tables.LoginSucceeded
		fillName(&row.Username, m.field(4))
		if realm := plainText(m.field(3), maxUser); realm != "" {
			row.Domain = realm
		}
		row.TicketEtype = readTicket(m.at(0xa5), row)
		row.ReplyEtype = etypeOf(m.at(0xa6))
		if protocol == tables.LoginKerberosAS {
			o.learnMachine(of, row.Username, tables.SourceKerberos, from)
		}
		q.write(o)
	case kerberosError:
		q.expect(of, from, protocol)
		if q.Written {
			return
		}
		row, code := &q.Row, m.field(6).number()
		row.Error, row.Outcome = kerberosErrorName(code), tables.LoginFailed
		if code == errPreauthRequired || code == errTooBig || code == errMorePreauth {
			row.Outcome = tables.LoginUnknown
		}
		fillName(&row.Username, m.field(8))
		fillText(&row.Domain, m.field(7))
		fillText(&row.Domain, m.field(9))
		fillName(&row.Service, m.field(10))
		q.write(o)
	}
}

// expect begins a row of an answer whose question was not seen.
func (q *ticketQuestion) expect(of *Peers, from *Origin, protocol string) {
	if !q.Asked && !q.Written {
		q.Row = newLogin(of, from, protocol)
	}
}

// ask reads a question; one that comes again is the same.
func (q *ticketQuestion) ask(o *Observer, of *Peers, m ber, from *Origin, protocol string) {
	body := m.field(4)
	nonce := uint32(body.field(7).number())
	if q.Asked && nonce == q.Nonce && protocol == q.Row.Protocol && len(body) > 0 {
		return
	}
	if q.Asked {
		q.write(o)
	}
	*q = ticketQuestion{Row: newLogin(of, from, protocol), Nonce: nonce, Asked: true}
	row := &q.Row
	fillName(&row.Username, body.field(1))
	fillText(&row.Domain, body.field(2))
	fillName(&row.Service, body.field(3))
	list := body.field(8)
	var etypes []string
	for len(list) > 0 && len(etypes) < maxEtypes {
		if tag, v, ok := list.next(); ok && tag == berInteger {
			etypes = append(etypes, etypeName(v.number()))
		}
	}
	row.Etypes = cutText(strings.Join(etypes, ","), maxUser)
	if protocol == tables.LoginKerberosAS {
		preauth := false
		for list, n := m.field(3), 0; len(list) > 0 && n < maxRecords; n++ {
			_, one, _ := list.next()
			switch one.field(1).number() {
			case 2, 14, 15, 16, 17, 138, 141, 151: // RFC 4120 section 7.5.2, RFC 4556, 6113, 6560, 9588
				preauth = true
			}
		}
		row.Preauth = tables.Some(preauth)
	}
	for list, n := body.field(9), 0; len(list) > 0 && n < maxRecords; n++ {
		_, one, _ := list.next()
		if name := one.field(1); one.field(0).number() == addressNetBIOS && len(name) == nbName && row.Workstation == "" {
			row.Workstation = nbText(name[:nbName-1])
			o.learnName(of, 0, row.Workstation, tables.SourceKerberos, from)
		}
	}
}

// readTicket reads for which service a ticket is, and how it is encrypted.
func readTicket(b ber, row *tables.Login) (etype string) {
	t := b.at(kerberosTicket).at(berSequence)
	fillText(&row.Domain, t.field(1))
	fillName(&row.Service, t.field(2))
	return etypeOf(t.at(0xa3))
}

// etypeOf is the encryption type of an EncryptedData, NULL if there is none.
func etypeOf(b ber) string {
	if n := b.at(berSequence).field(0); len(n) > 0 {
		return etypeName(n.number())
	}
	return ""
}

// fillName puts a PrincipalName into a column that has nothing yet: its parts with
// slashes between.
func fillName(column *string, b ber) {
	var parts []string
	for list := b.field(1); len(list) > 0 && len(parts) < maxParts; {
		if _, v, ok := list.next(); ok {
			parts = append(parts, plainText(v, maxUser))
		}
	}
	if *column == "" {
		*column = cutText(strings.Join(parts, "/"), maxUser)
	}
}

func fillText(column *string, b ber) {
	if *column == "" {
		*column = plainText(b, maxUser)
	}
}

// etypeNames are IANA's (kerberos-parameters), and those of RFC 4757.
var etypeNames = map[int64]string{
	1: "des-cbc-crc", 2: "des-cbc-md4", 3: "des-cbc-md5", 5: "des3-cbc-md5", 7: "des3-cbc-sha1", 9: "dsawithsha1-cmsoid",
	10: "md5withrsaencryption-cmsoid", 11: "sha1withrsaencryption-cmsoid", 12: "rc2cbc-envoid", 13: "rsaencryption-envoid",
	14: "rsaes-oaep-env-oid", 15: "des-ede3-cbc-env-oid", 16: "des3-cbc-sha1-kd", 17: "aes128-cts-hmac-sha1-96",
	18: "aes256-cts-hmac-sha1-96", 19: "aes128-cts-hmac-sha256-128", 20: "aes256-cts-hmac-sha384-192", 23: "rc4-hmac",
	24: "rc4-hmac-exp", 25: "camellia128-cts-cmac", 26: "camellia256-cts-cmac",
	-128: "rc4-md4", -133: "rc4-hmac-old", -135: "rc4-hmac-old-exp",
}

func etypeName(n int64) string {
	if name := etypeNames[n]; name != "" {
		return name
	}
	return "etype" + strconv.FormatInt(n, 10)
}

// Errors that ask for more.
const (
	errPreauthRequired = 25
	errTooBig          = 52 // over UDP: ask over TCP
	errMorePreauth     = 91
)

// kerberosErrors are the names of RFC 4120 section 7.5.9, RFC 4556 and RFC 6113.
var kerberosErrors = [...]string{
	"KDC_ERR_NONE", "KDC_ERR_NAME_EXP", "KDC_ERR_SERVICE_EXP", "KDC_ERR_BAD_PVNO", "KDC_ERR_C_OLD_MAST_KVNO", "KDC_ERR_S_OLD_MAST_KVNO",
	"KDC_ERR_C_PRINCIPAL_UNKNOWN", "KDC_ERR_S_PRINCIPAL_UNKNOWN", "KDC_ERR_PRINCIPAL_NOT_UNIQUE", "KDC_ERR_NULL_KEY",
	"KDC_ERR_CANNOT_POSTDATE", "KDC_ERR_NEVER_VALID", "KDC_ERR_POLICY", "KDC_ERR_BADOPTION", "KDC_ERR_ETYPE_NOSUPP",
	"KDC_ERR_SUMTYPE_NOSUPP", "KDC_ERR_PADATA_TYPE_NOSUPP", "KDC_ERR_TRTYPE_NOSUPP", "KDC_ERR_CLIENT_REVOKED",
	"KDC_ERR_SERVICE_REVOKED", "KDC_ERR_TGT_REVOKED", "KDC_ERR_CLIENT_NOTYET", "KDC_ERR_SERVICE_NOTYET", "KDC_ERR_KEY_EXPIRED",
	"KDC_ERR_PREAUTH_FAILED", "KDC_ERR_PREAUTH_REQUIRED", "KDC_ERR_SERVER_NOMATCH", "KDC_ERR_MUST_USE_USER2USER",
	"KDC_ERR_PATH_NOT_ACCEPTED", "KDC_ERR_SVC_UNAVAILABLE",
	31: "KRB_AP_ERR_BAD_INTEGRITY", 32: "KRB_AP_ERR_TKT_EXPIRED", 33: "KRB_AP_ERR_TKT_NYV", 34: "KRB_AP_ERR_REPEAT",
	35: "KRB_AP_ERR_NOT_US", 36: "KRB_AP_ERR_BADMATCH", 37: "KRB_AP_ERR_SKEW", 38: "KRB_AP_ERR_BADADDR", 39: "KRB_AP_ERR_BADVERSION",
	40: "KRB_AP_ERR_MSG_TYPE", 41: "KRB_AP_ERR_MODIFIED", 42: "KRB_AP_ERR_BADORDER", 44: "KRB_AP_ERR_BADKEYVER", 45: "KRB_AP_ERR_NOKEY",
	46: "KRB_AP_ERR_MUT_FAIL", 47: "KRB_AP_ERR_BADDIRECTION", 48: "KRB_AP_ERR_METHOD", 49: "KRB_AP_ERR_BADSEQ",
	50: "KRB_AP_ERR_INAPP_CKSUM", 51: "KRB_AP_PATH_NOT_ACCEPTED", 52: "KRB_ERR_RESPONSE_TOO_BIG", 60: "KRB_ERR_GENERIC",
	61: "KRB_ERR_FIELD_TOOLONG", 62: "KDC_ERR_CLIENT_NOT_TRUSTED", 63: "KDC_ERR_KDC_NOT_TRUSTED", 64: "KDC_ERR_INVALID_SIG",
	65: "KDC_ERR_KEY_TOO_WEAK", 66: "KDC_ERR_CERTIFICATE_MISMATCH", 67: "KRB_AP_ERR_NO_TGT", 68: "KDC_ERR_WRONG_REALM",
	69: "KRB_AP_ERR_USER_TO_USER_REQUIRED", 70: "KDC_ERR_CANT_VERIFY_CERTIFICATE", 71: "KDC_ERR_INVALID_CERTIFICATE",
	72: "KDC_ERR_REVOKED_CERTIFICATE", 73: "KDC_ERR_REVOCATION_STATUS_UNKNOWN", 74: "KDC_ERR_REVOCATION_STATUS_UNAVAILABLE",
	75: "KDC_ERR_CLIENT_NAME_MISMATCH", 76: "KDC_ERR_KDC_NAME_MISMATCH", 90: "KDC_ERR_PREAUTH_EXPIRED",
	91: "KDC_ERR_MORE_PREAUTH_DATA_REQUIRED", 92: "KDC_ERR_PREAUTH_BAD_AUTHENTICATION_SET", 93: "KDC_ERR_UNKNOWN_CRITICAL_FAST_OPTIONS",
}

func kerberosErrorName(n int64) string {
	if n >= 0 && n < int64(len(kerberosErrors)) && kerberosErrors[n] != "" {
		return kerberosErrors[n]
	}
	return "KRB_ERR_" + strconv.FormatInt(n, 10)
}
