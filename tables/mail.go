package tables

// Mail is a row of the family mail: a message that a client handed to a server over SMTP
// (RFC 5321) or LMTP (RFC 2033), or tried to. Of its text only the head is kept.
type Mail struct {
	TS         Time   `col:"ts"` // of MAIL; of a conversation that goes on in TLS, of STARTTLS
	Sensor     string `col:"sensor"`
	Site       string `col:"site"`
	Client     Addr   `col:"client"`
	ClientPort int32  `col:"client_port"`
	Server     Addr   `col:"server"`
	ServerPort int32  `col:"server_port"`

	Protocol string `col:"protocol"`
	Helo     string `col:"helo"`     // folded
	Username string `col:"username"` // folded
	// The envelope: addresses, folded, of several comma-joined.
	MailFrom    string     `col:"mail_from"` // <> is nobody
	RcptTo      string     `col:"rcpt_to"`
	RcptRefused string     `col:"rcpt_refused"`
	Recipients  Opt[int32] `col:"recipients"` // that were asked for
	// The head of the message (RFC 5322), as people read it.
	From        string    `col:"header_from"`
	To          string    `col:"header_to"`
	Cc          string    `col:"header_cc"`
	ReplyTo     string    `col:"reply_to"`
	Subject     string    `col:"subject"`
	Date        Opt[Time] `col:"date"`
	MessageID   string    `col:"message_id"`
	UserAgent   string    `col:"user_agent"`
	ContentType string    `col:"content_type"` // folded

	Attachments string     `col:"attachments"` // names, comma-joined
	Bytes       Opt[int64] `col:"bytes"`       // of the message, as far as it was seen
	Outcome     string     `col:"outcome"`
	Reply       string     `col:"reply"` // the answer that decided it
	StartTLS    bool       `col:"starttls"`

	PacketID Opt[ID] `col:"packet_id"` // of MAIL
	FlowID   ID      `col:"flow_id"`
	ConnID   ID      `col:"conn_id"`
}

// Values of mail.protocol.
const (
	MailSMTP = "smtp"
	MailLMTP = "lmtp"
)

// Values of mail.outcome.
const (
	MailAccepted = "accepted"
	MailRefused  = "refused"
	MailUnknown  = "unknown"
)

// NullSender is mail_from of what has no sender: reports of delivery.
const NullSender = "<>"

var (
	mailProtocols = []string{MailSMTP, MailLMTP}
	mailOutcomes  = []string{MailAccepted, MailRefused, MailUnknown}
)

// MailRelation is messages that were handed on.
var MailRelation = &Relation{Schema: Main, Name: "mail",
	Doc: "messages that were handed to mail servers over SMTP (submission and LMTP too) in clear: envelope, head, names of attachments, and whether the server took it",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "time of MAIL, which begins a message; with starttls, of STARTTLS"},
		colClient, colClientAt, colAsker, colServer, colServerAt,
		{Name: "server_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the server's address had at ts"},
		{Name: "protocol", Kind: Text, Size: 8, NotNull: true, Values: mailProtocols, NoCase: true, Doc: "smtp or lmtp, by how the client greets"},
		{Name: "helo", Kind: Text, Size: 255, NoCase: true, Fold: "lower", Doc: "what the client calls itself in HELO, EHLO or LHLO, in lower case", Source: "Zeek smtp helo"},
		{Name: "username", Kind: Text, Size: 255, NoCase: true, Fold: "lower", Doc: "who had logged in, in lower case, where that was seen (see logins)"},
		{Name: "mail_from", Kind: Text, Size: 320, NoCase: true, Fold: "lower", Doc: "sender of the envelope, in lower case; <> is nobody, as of reports of delivery", Source: "Zeek smtp mailfrom"},
		{Name: "rcpt_to", Kind: Text, Size: 3072, NoCase: true, Fold: "lower", Doc: "recipients that were asked for, in lower case, comma-joined: those of Bcc too", Source: "Zeek smtp rcptto"},
		{Name: "rcpt_refused", Kind: Text, Size: 1024, NoCase: true, Fold: "lower", Doc: "those of them that the server refused; NULL without"},
		{Name: "recipients", Kind: Int, Doc: "how many were asked for"},
		{Name: "header_from", Kind: Text, Size: 512, Doc: "From of the message, names decoded (RFC 2047): what its reader is shown, whatever the envelope says. NULL where the message has none or was not seen", Source: "Zeek smtp from; ECS email.from.address"},
		{Name: "header_to", Kind: Text, Size: 2048, Doc: "To of the message", Source: "Zeek smtp to; ECS email.to.address"},
		{Name: "header_cc", Kind: Text, Size: 2048, Doc: "Cc of the message", Source: "Zeek smtp cc; ECS email.cc.address"},
		{Name: "reply_to", Kind: Text, Size: 512, Doc: "Reply-To of the message", Source: "Zeek smtp reply_to; ECS email.reply_to.address"},
		{Name: "subject", Kind: Text, Size: 1024, Doc: "Subject, decoded (RFC 2047)", Source: "Zeek smtp subject; ECS email.subject"},
		{Name: "date", Kind: Timestamp, Doc: "Date of the message, as its writer says; NULL where it can't be read", Source: "Zeek smtp date; ECS email.origination_timestamp"},
		{Name: "message_id", Kind: Text, Size: 512, Doc: "Message-ID, without the brackets: one message on its way through several servers has one", Source: "Zeek smtp msg_id; ECS email.message_id"},
		{Name: "user_agent", Kind: Text, Size: 512, Doc: "program that wrote it: User-Agent, else X-Mailer", Source: "Zeek smtp user_agent; ECS email.x_mailer"},
		{Name: "content_type", Kind: Text, Size: 255, NoCase: true, Fold: "lower", Doc: "type of the message without parameters, in lower case: text/plain, multipart/mixed, …", Source: "ECS email.content_type"},
		{Name: "attachments", Kind: Text, Size: 2048, Doc: "names of its parts, of parts of parts and of messages in it too, decoded (RFC 2047, RFC 2231), comma-joined; NULL if no part has a name", Source: "ECS email.attachments.file.name"},
		{Name: "bytes", Kind: BigInt, Unit: "bytes", Doc: "length of the message, head and body as they were sent, without the dots that SMTP adds; what was not captured is counted"},
		{Name: "outcome", Kind: Text, Size: 16, NotNull: true, Values: mailOutcomes, NoCase: true, Doc: "accepted (by one recipient at least), refused (sender, all recipients or the message were) or unknown: given up before, not seen, or encrypted"},
		{Name: "reply", Kind: Text, Size: 512, Doc: "the server's answer to the message, or the last one that refused: code and words, often with the number of the queue that its log has", Source: "Zeek smtp last_reply"},
		{Name: "starttls", Kind: Bool, NotNull: true, Doc: "1: what follows in the conversation is in TLS and has no rows; the row says only that, and who greeted", Source: "Zeek smtp tls"},
		colSensor, colPacketID, colFlowID, colSeenConn,
	}}
