package tables

// Login is a row of the family logins: an attempt to log in, or a question for a
// ticket, as far as it is in clear. What was not seen is NULL. Never a password, a
// hash, a response to a challenge or a ticket.
type Login struct {
	TS         Time   `col:"ts"` // of the first message that was seen
	Sensor     string `col:"sensor"`
	Site       string `col:"site"`
	Client     Addr   `col:"client"`
	ClientPort int32  `col:"client_port"`
	Server     Addr   `col:"server"`
	ServerPort int32  `col:"server_port"`

	Protocol    string `col:"protocol"`
	Username    string `col:"username"`    // folded
	Domain      string `col:"domain"`      // or realm, folded
	Workstation string `col:"workstation"` // folded; the machine the client says it is
	ServerName  string `col:"server_name"` // folded; the machine the server says it is
	Service     string `col:"service"`     // folded; service principal name that a ticket is, or was asked, for
	// Kerberos' encryption types, comma-joined: those a client would have, and that
	// of the ticket (its server's key) and of the answer (the client's).
	Etypes      string    `col:"etypes"`
	TicketEtype string    `col:"ticket_etype"`
	ReplyEtype  string    `col:"reply_etype"`
	Preauth     Opt[bool] `col:"preauth"` // the client proved who it is before it was answered
	Outcome     string    `col:"outcome"`
	Error       string    `col:"error"`     // by its name in the protocol
	Cleartext   Opt[bool] `col:"cleartext"` // the password itself could be read

	ClientSoftware string `col:"client_software"`
	ServerSoftware string `col:"server_software"`
	HASSH          string `col:"hassh"`
	HASSHServer    string `col:"hassh_server"`

	PacketID Opt[ID] `col:"packet_id"` // where it begins
	FlowID   ID      `col:"flow_id"`
	ConnID   ID      `col:"conn_id"`
}

// Values of logins.protocol.
const (
	LoginKerberosAS  = "kerberos_as"  // asks for a ticket to ask for tickets
	LoginKerberosTGS = "kerberos_tgs" // asks for a ticket of a service
	LoginKerberosAP  = "kerberos_ap"  // shows a ticket to a service
	LoginNTLM        = "ntlm"
	LoginSMB         = "smb" // a session of SMB 1 without GSS-API
	LoginLDAP        = "ldap_simple"
	LoginLDAPSASL    = "ldap_sasl" // but NTLM and Kerberos, unless refused before they say who
	LoginHTTP        = "http_basic"
	LoginFTP         = "ftp"
	LoginTelnet      = "telnet"
	LoginPOP3        = "pop3"
	LoginIMAP        = "imap"
	LoginSMTP        = "smtp"
	LoginSSH         = "ssh"
	LoginRDP         = "rdp"
)

// Values of logins.outcome.
const (
	LoginSucceeded = "success"
	LoginFailed    = "failure"
	LoginUnknown   = "unknown"
)

var (
	loginProtocols = []string{LoginKerberosAS, LoginKerberosTGS, LoginKerberosAP, LoginNTLM, LoginSMB, LoginLDAP, LoginLDAPSASL, LoginHTTP, LoginFTP,
		LoginTelnet, LoginPOP3, LoginIMAP, LoginSMTP, LoginSSH, LoginRDP}
	loginOutcomes = []string{LoginSucceeded, LoginFailed, LoginUnknown}
)

// Logins is attempts to log in.
var Logins = &Relation{Schema: Main, Name: "logins",
	Doc: "attempts to log in and questions for tickets, as far as they are in clear: who, as whom, to what, and did it work; never a secret",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "time of its first message that was seen"},
		colClient, colClientAt, colAsker, colServer, colServerAt,
		{Name: "server_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the server's address had at ts"},
		{Name: "protocol", Kind: Text, Size: 16, NotNull: true, Values: loginProtocols, NoCase: true, Doc: "how: kerberos_as (a ticket to ask for tickets), kerberos_tgs (a ticket for a service), kerberos_ap (a ticket is shown to a service), ntlm (in SMB, DCE/RPC, LDAP, HTTP), smb, ldap_simple, ldap_sasl (others than these), http_basic, ftp, telnet, pop3, imap, smtp, ssh, rdp"},
		{Name: "username", Kind: Text, Size: 255, NoCase: true, Fold: "lower", Doc: "user, lower case; of RDP its cookie, which Windows cuts to nine characters. A machine's name ends with $. NULL: anonymous, or encrypted", Source: "Zeek username, client; ECS user.name"},
		{Name: "domain", Kind: Text, Size: 255, NoCase: true, Fold: "lower", Doc: "the user's domain or realm, lower case", Source: "Zeek domainname; ECS user.domain"},
		{Name: "workstation", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "machine the client says it is", Source: "Zeek hostname, client_name"},
		{Name: "server_name", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "machine the server says it is (NTLM)", Source: "Zeek server_dns_computer_name"},
		{Name: "service", Kind: Text, Size: 255, NoCase: true, Fold: "lower", Doc: "service principal name the ticket is for, of NTLM what the client believes it logs in to, lower case: krbtgt/realm, cifs/server", Source: "Zeek service"},
		{Name: "etypes", Kind: Text, Size: 255, NoCase: true, Fold: "lower", Doc: "encryption types the client asked for, comma-joined, the preferred first: aes256-cts-hmac-sha1-96, rc4-hmac, …"},
		{Name: "ticket_etype", Kind: Text, Size: 64, NoCase: true, Fold: "lower", Doc: "encryption type of the ticket, which is made with the service's key: rc4-hmac and des are cracked fast", Source: "Zeek cipher"},
		{Name: "reply_etype", Kind: Text, Size: 64, NoCase: true, Fold: "lower", Doc: "encryption type of the answer, of kerberos_as made with the user's key"},
		{Name: "preauth", Kind: Bool, Doc: "kerberos_as: 1 if the client proved that it has the key before it was answered"},
		{Name: "outcome", Kind: Text, Size: 8, NotNull: true, Values: loginOutcomes, NoCase: true, Doc: "success, failure; unknown: not seen, encrypted, or not over (KDC_ERR_PREAUTH_REQUIRED asks for proof)", Source: "Zeek success; ECS event.outcome"},
		{Name: "error", Kind: Text, Size: 64, NoCase: true, Fold: "upper", Doc: "why it failed, by the protocol's name: KDC_ERR_PREAUTH_FAILED, STATUS_LOGON_FAILURE, 530", Source: "Zeek error_msg"},
		{Name: "cleartext", Kind: Bool, Doc: "1 if the password itself passed in clear"},
		{Name: "client_software", Kind: Text, Size: 255, Doc: "what the client says it is (SSH)", Source: "Zeek client"},
		{Name: "server_software", Kind: Text, Size: 255, Doc: "what the server says it is: banner of SSH, FTP, mail", Source: "Zeek server"},
		{Name: "hassh", Kind: Text, Size: 32, NoCase: true, Fold: "lower", Doc: "fingerprint of the SSH client by the algorithms it offers"},
		{Name: "hassh_server", Kind: Text, Size: 32, NoCase: true, Fold: "lower", Doc: "likewise of the server"},
		colSensor, colPacketID, colFlowID, colSeenConn,
	}}
