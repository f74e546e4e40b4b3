package observe

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// Mail over SMTP (RFC 5321), LMTP (RFC 2033) and submission (RFC 6409): commands and their
// answers, in order, also where several are sent at a time (RFC 2920); messages after DATA
// and in chunks (RFC 3030), of which heads are read (see mailText).

const (
	// maxMailCommands wait for their answers at a time, maxMails messages for theirs.
	maxMailCommands = 1024
	maxMails        = 64
	// The columns' sizes: of an address, of lists of them, and of answers.
	maxMailbox    = 320
	maxRecipients = 3072
	maxRefused    = 1024
	maxReply      = 512
)

// mailSession is what is known of a conversation with a server.
type mailSession struct {
	LMTP       bool
	Helo, User string
	Waiting    []mailCommand // not answered, the oldest first
	// Early are answers to commands that have not been read: they wait behind lost bytes.
	Early []mailReply
	Mails []mailMessage // that are not written, the oldest first
	Count int           // of messages so far
	// Open is the number of the message that the client is at, the last of Mails; 0 for none.
	Open int
	In   mailPlace
	Left int  // bytes of the chunk
	Last bool // it ends the message
	// Lost: what the client says is not known until a command begins a message. Missed:
	// answers were lost.
	Lost, Missed bool
}

// mailPlace is where the client is.
type mailPlace uint8

const (
	inCommands mailPlace = iota
	inMessage            // after DATA, until a line with a dot
	inChunk              // after BDAT
)

// mailCommand is one that is not answered.
type mailCommand struct {
	Verb    string
	Mailbox string
	Mail    int // number of the message it is of; 0 for none
}

// mailReply is what the server answered.
type mailReply struct {
	TS         int64
	Code, Text string
}

// mailMessage is one that is handed on.
type mailMessage struct {
	Number  int
	Row     tables.Mail
	Text    mailText
	Waiting int    // commands without an answer
	Granted int    // recipients
	Taken   string // the answer that took it
	Refusal string
	Refused bool // the sender, or the message, whoever gets it
}

// holds is how many bytes it remembers.
func (s *mailSession) holds() int {
	n := 64*len(s.Waiting) + len(s.Early)*(64+maxReply)
	for i := range s.Mails {
		r := &s.Mails[i].Row
		n += 2048 + len(r.RcptTo)*2 + len(r.RcptRefused) + len(r.From) + len(r.To) + len(r.Cc) + len(r.ReplyTo) + len(r.Subject) + len(r.Attachments) + s.Mails[i].Text.holds()
	}
	return n
}

// content takes what is sent of a message, and tells how much that was.
func (s *mailSession) content(o *Observer, of *Peers, b []byte, from *Origin) (used int) {
	m := s.mail(s.Open)
	if s.In == inMessage {
		n, over := m.Text.read(&m.Row, b, true)
		if over {
			s.In = inCommands
			s.sent(o, of, m, from)
		}
		return n
	}
	n := min(s.Left, len(b))
	m.Text.read(&m.Row, b[:n], false)
	s.chunked(o, of, n, from)
	return n
}

// chunked counts bytes of a chunk, which may end it.
func (s *mailSession) chunked(o *Observer, of *Peers, n int, from *Origin) {
	if s.Left -= n; s.Left > 0 {
		return
	}
	if s.In = inCommands; s.Last {
		s.sent(o, of, s.mail(s.Open), from)
	} else {
		s.wait(o, of, mailCommand{Verb: "BDAT", Mail: s.Open}, from)
	}
}

// sent has a message wait for what the server says of it: over LMTP for each recipient.
func (s *mailSession) sent(o *Observer, of *Peers, m *mailMessage, from *Origin) {
	m.Text.end(&m.Row)
	number, answers := m.Number, 1
	if s.LMTP {
		answers = max(m.Granted, 1)
	}
	s.Open = 0
	for range min(answers, maxMailCommands) {
		s.wait(o, of, mailCommand{Verb: ".", Mail: number}, from)
	}
	s.settle(o)
}

// mail is a message by its number, nil if there is none.
func (s *mailSession) mail(number int) *mailMessage {
	for i := len(s.Mails) - 1; i >= 0 && number > 0; i-- {
		if s.Mails[i].Number == number {
			return &s.Mails[i]
		}
	}
	return nil
}

// begin begins a message, if none is open.
func (s *mailSession) begin(o *Observer, of *Peers, from *Origin) *mailMessage {
	if m := s.mail(s.Open); m != nil {
		return m
	}
	if len(s.Mails) >= maxMails {
		o.stats.Evicted++
		s.write(o)
	}
	s.Count++
	s.Open = s.Count
	s.Mails = append(s.Mails, mailMessage{Number: s.Count, Row: s.row(of, from)})
	return &s.Mails[len(s.Mails)-1]
}

// row begins a row.
func (s *mailSession) row(of *Peers, from *Origin) tables.Mail {
	protocol := tables.MailSMTP
	if s.LMTP {
		protocol = tables.MailLMTP
	}
	return tables.Mail{TS: tables.TimeOf(from.TS), Sensor: of.Sensor, Site: of.Site, Client: of.Client, ClientPort: int32(of.ClientPort),
		Server: of.Server, ServerPort: int32(of.ServerPort), Protocol: protocol, Helo: s.Helo, Username: s.User, Outcome: tables.MailUnknown,
		ConnID: of.Conn, FlowID: from.FlowID, PacketID: tables.Opt[tables.ID]{V: from.PacketID, Set: from.Kept}}
}

// command notes a line of the client.
func (s *mailSession) command(o *Observer, of *Peers, line []byte, from *Origin) {
	word, argument, _ := bytes.Cut(bytes.TrimSpace(line), []byte{' '})
	verb := strings.ToUpper(plainText(word, 16)) // perhaps of a secret: what is not known is not kept
	var c mailCommand
	switch verb {
	case "EHLO", "HELO", "LHLO", "MAIL", "RSET":
		s.Lost, s.Open = false, 0
	case "QUIT":
		s.Open = 0
	}
	if s.Lost {
		return
	}
	switch verb {
	case "EHLO", "HELO", "LHLO":
		name, _, _ := bytes.Cut(argument, []byte{' '})
		s.LMTP, s.Helo = verb == "LHLO", tables.FoldCase(plainText(name, maxWord))
	case "MAIL":
		m := s.begin(o, of, from)
		if m.Row.MailFrom = mailbox(argument); m.Row.MailFrom == "" {
			m.Row.MailFrom = tables.NullSender
		}
		c = mailCommand{Verb: verb, Mail: m.Number}
	case "RCPT":
		m := s.begin(o, of, from)
		c = mailCommand{verb, mailbox(argument), m.Number}
		m.Row.Recipients = tables.Some(m.Row.Recipients.V + 1)
		m.Row.RcptTo = listed(m.Row.RcptTo, c.Mailbox, maxRecipients)
	case "DATA":
		c = mailCommand{Verb: verb, Mail: s.begin(o, of, from).Number}
		s.In = inMessage
	case "BDAT":
		s.chunk(o, of, argument, from)
		return
	}
	s.wait(o, of, c, from)
	s.settle(o)
}

// chunk begins one.
func (s *mailSession) chunk(o *Observer, of *Peers, argument []byte, from *Origin) {
	words := bytes.Fields(argument)
	n := 0
	if len(words) > 0 {
		n, _ = strconv.Atoi(string(words[0]))
	}
	s.begin(o, of, from)
	s.In, s.Left, s.Last = inChunk, max(n, 0), len(words) > 1 && bytes.EqualFold(words[1], []byte("LAST"))
	s.chunked(o, of, 0, from)
}

// wait has a command wait for its answer, if that has not come.
func (s *mailSession) wait(o *Observer, of *Peers, c mailCommand, from *Origin) {
	for len(s.Early) > 0 && s.Early[0].TS < from.TS {
		s.Early = s.Early[1:]
	}
	if m := s.mail(c.Mail); m != nil {
		m.Waiting++
	}
	if len(s.Waiting) == 0 && len(s.Early) > 0 {
		reply := s.Early[0]
		s.Early = s.Early[1:]
		s.judge(&c, &reply)
		return
	}
	if len(s.Waiting) >= maxMailCommands {
		o.stats.Evicted++
		s.drop(1)
	}
	s.Waiting = append(s.Waiting, c)
}

// drop has commands wait no more.
func (s *mailSession) drop(n int) {
	for _, c := range s.Waiting[:n] {
		if m := s.mail(c.Mail); m != nil {
			m.Waiting--
		}
	}
	s.Waiting = s.Waiting[n:]
}

// answer notes the last line of what the server answers.
func (s *mailSession) answer(o *Observer, of *Peers, code string, text []byte, from *Origin) {
	if code[0] < '2' || code[0] > '5' {
		return
	}
	reply := mailReply{from.TS, code, plainText(bytes.TrimSpace(text), maxReply-4)}
	if s.Missed { // unless several were sent at a time, it is to the last
		s.Missed = false
		s.drop(max(len(s.Waiting)-1, 0))
	}
	if i := slices.IndexFunc(s.Waiting, func(c mailCommand) bool { return c.Verb == "DATA" }); i > 0 && code == "354" {
		s.drop(i)
	} else if i == 0 && code[0] == '2' {
		return // to one that was lost
	}
	if len(s.Waiting) > 0 {
		c := s.Waiting[0]
		s.Waiting = s.Waiting[1:]
		if s.judge(&c, &reply); c.Verb == "DATA" && code[0] != '3' && s.In == inMessage && s.Open == c.Mail {
			s.In = inCommands
		}
		s.settle(o)
		return
	}
	if late := o.streams.get(of.Conn); late != nil && len(late.half[0].ahead) > 0 {
		if len(s.Early) < maxMailCommands {
			s.Early = append(s.Early, reply)
		}
		return
	}
	if s.In == inMessage && code[0] != '3' { // its end was lost, or is the server's own idea of one
		m := s.mail(s.Open)
		m.Text.end(&m.Row)
		m.Waiting++
		s.judge(&mailCommand{Verb: ".", Mail: m.Number}, &reply)
		s.In, s.Open, s.Lost = inCommands, 0, true
		s.settle(o)
	}
}

// judge notes what an answer means for a message.
func (s *mailSession) judge(c *mailCommand, reply *mailReply) {
	m := s.mail(c.Mail)
	if m == nil {
		return
	}
	m.Waiting--
	text := strings.TrimSpace(reply.Code + " " + reply.Text)
	if reply.Code[0] == '2' || reply.Code[0] == '3' {
		switch c.Verb {
		case "RCPT":
			m.Granted++
		case ".":
			m.Taken = text
		}
		return
	}
	if m.Refusal == "" || m.Granted > 0 && c.Verb != "RCPT" {
		m.Refusal = text
	}
	if c.Verb == "RCPT" {
		m.Row.RcptRefused = listed(m.Row.RcptRefused, c.Mailbox, maxRefused)
	} else {
		m.Refused = true
	}
}

// settle writes messages that nothing more is said of.
func (s *mailSession) settle(o *Observer) {
	for len(s.Mails) > 0 && s.Mails[0].Waiting == 0 && s.Mails[0].Number != s.Open {
		s.write(o)
	}
}

// write writes the first message.
func (s *mailSession) write(o *Observer) {
	m := &s.Mails[0]
	m.Text.end(&m.Row)
	switch {
	case m.Taken != "":
		m.Row.Outcome, m.Row.Reply = tables.MailAccepted, m.Taken
	case m.Refused || m.Granted == 0 && m.Refusal != "":
		m.Row.Outcome, m.Row.Reply = tables.MailRefused, m.Refusal
	default:
		m.Row.Reply = m.Refusal
	}
	if s.Open == m.Number {
		s.Open, s.In = 0, inCommands
	}
	row := m.Row
	if s.Mails = s.Mails[1:]; len(s.Mails) == 0 {
		s.Mails = nil
	}
	o.write(&row)
}

// lack tells of bytes that did not come.
func (s *mailSession) lack(o *Observer, of *Peers, side, n int) {
	switch {
	case side == 1:
		s.Early, s.Missed = nil, true
	case s.In == inMessage || s.In == inChunk && n < s.Left:
		m := s.mail(s.Open)
		m.Text.lack(&m.Row, n)
		s.Left -= min(n, s.Left)
	default:
		s.In, s.Open, s.Lost = inCommands, 0, true
	}
	s.settle(o)
}

// encrypt notes that the conversation goes on in TLS.
func (s *mailSession) encrypt(o *Observer, of *Peers, from *Origin) {
	row := s.row(of, from)
	row.StartTLS = true
	o.write(&row)
}

// end writes what is not answered.
func (s *mailSession) end(o *Observer) {
	s.Waiting = nil
	for len(s.Mails) > 0 {
		s.write(o)
	}
}

// mailbox is the address in an argument of MAIL or RCPT, folded: FROM:<address> and what
// may follow, without a route (RFC 5321 section 4.1.2).
func mailbox(argument []byte) string {
	_, b, _ := bytes.Cut(argument, []byte{':'})
	b = bytes.TrimLeft(b, " ")
	if len(b) > 0 && b[0] == '<' {
		quoted := false
		end := len(b)
	scan:
		for i := 1; i < len(b); i++ {
			switch {
			case b[i] == '\\':
				i++
			case b[i] == '"':
				quoted = !quoted
			case b[i] == '>' && !quoted:
				end = i
				break scan
			}
		}
		b = b[1:end]
	} else {
		b, _, _ = bytes.Cut(b, []byte{' '})
	}
	if len(b) > 0 && b[0] == '@' {
		_, b, _ = bytes.Cut(b, []byte{':'})
	}
	return tables.FoldCase(plainText(b, maxMailbox))
}

// listed is a comma-joined list with one more, if it has room for n bytes.
func listed(list, one string, n int) string {
	switch {
	case list == "":
		return one
	case one == "" || len(list)+len(one) >= n:
		return list
	}
	return list + "," + one
}
