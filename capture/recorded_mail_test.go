package capture

import (
	"cmp"
	"fmt"
	"mime"
	"net/mail"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestRecordedMail: testdata/mail has what its script had s-nail, swaks, curl and postfix say to
// postfix and smtp-sink, message by message; lengths are those that tshark shows.
func TestRecordedMail(t *testing.T) {
	const want = `
10.9.0.1:25 smtp laptop.office.test zoe@office.test>gavin.reid@office.test,anna@office.test-|Zoë Reid <zoe@office.test>|gavin.reid@office.test|anna@office.test|Grüße aus Köln, und eine lange Betreffzeile, die gefaltet werden muss: € 1.000|-270636|20261129000403.yBr_q9OH@laptop.office.test|s-nail v14.9.24|multipart/mixed|Rechnung März.pdf,table, old.csv|5074|accepted 250 2.0.0 Ok: queued as 51E3A9902B1 false
10.9.0.2:24 lmtp mx.office.test zoe@office.test>anna@office.test,gavin.reid@office.test-|Zoë Reid <zoe@office.test>|gavin.reid@office.test|anna@office.test|Grüße aus Köln, und eine lange Betreffzeile, die gefaltet werden muss: € 1.000|-451162|20261129000403.yBr_q9OH@laptop.office.test|s-nail v14.9.24|multipart/mixed|Rechnung März.pdf,table, old.csv|5226|accepted 250 2.2.0 Ok false
10.9.0.1:25 smtp laptop.office.test zoe@office.test>gavin.reid@office.test-|Zoe@Office.test|gavin.reid@office.test||plain|-584693|0@laptop.office.test|swaks v20201014.0 jetmore.org/john/code/swaks/|||221|accepted 250 2.0.0 Ok: queued as 966F999039F false
10.9.0.2:24 lmtp mx.office.test zoe@office.test>gavin.reid@office.test-|Zoe@Office.test|gavin.reid@office.test||plain|-743785|0@laptop.office.test|swaks v20201014.0 jetmore.org/john/code/swaks/|||403|accepted 250 2.2.0 Ok false
10.9.0.1:25 smtp laptop.office.test zoe@office.test>gavin.reid@office.test,nobody@office.test-nobody@office.test|Zoe@Office.test|gavin.reid@office.test,nobody@office.test||one of two|-1000885|0@laptop.office.test|swaks v20201014.0 jetmore.org/john/code/swaks/|||254|accepted 250 2.0.0 Ok: queued as 00C0D99053E false
10.9.0.2:24 lmtp mx.office.test zoe@office.test>gavin.reid@office.test-|Zoe@Office.test|gavin.reid@office.test,nobody@office.test||one of two|-1171840|0@laptop.office.test|swaks v20201014.0 jetmore.org/john/code/swaks/|||436|accepted 250 2.2.0 Ok false
10.9.0.1:25 smtp laptop.office.test zoe@office.test>nobody@office.test-nobody@office.test||||||||||0|refused 550 5.1.1 <nobody@office.test>: Recipient address rejected: User unknown in virtual mailbox table false
10.9.0.1:25 smtp laptop.office.test zoe@office.test>someone@elsewhere.test-someone@elsewhere.test||||||||||0|refused 454 4.7.1 <someone@elsewhere.test>: Relay access denied false
10.9.0.1:25 smtp laptop.office.test zoe@office.test>anna@office.test-|Zoe@Office.test|anna@office.test||forbidden fruit|-692027|0@laptop.office.test|swaks v20201014.0 jetmore.org/john/code/swaks/|||234|refused 550 5.7.1 not here false
10.9.0.1:25 smtp laptop.office.test <>>anna@office.test-||anna@office.test||undelivered|-443835|0@laptop.office.test|swaks v20201014.0 jetmore.org/john/code/swaks/|||215|accepted 250 2.0.0 Ok: queued as 6C7EA990360 false
10.9.0.2:24 lmtp mx.office.test <>>anna@office.test-||anna@office.test||undelivered|-447859|0@laptop.office.test|swaks v20201014.0 jetmore.org/john/code/swaks/|||391|accepted 250 2.2.0 Ok false
10.9.0.1:587 smtp laptop.office.test zoe@office.test>anna@office.test-|Zoe@Office.test|anna@office.test||submitted|-435962|0@laptop.office.test|swaks v20201014.0 jetmore.org/john/code/swaks/|multipart/mixed|run.sh|652|accepted 250 2.0.0 Ok: queued as 6FF79990508 false
10.9.0.2:24 lmtp mx.office.test zoe@office.test>anna@office.test-|Zoe@Office.test|anna@office.test||submitted|-571757|0@laptop.office.test|swaks v20201014.0 jetmore.org/john/code/swaks/|multipart/mixed|run.sh|828|accepted 250 2.2.0 Ok false
10.9.0.1:25 smtp laptop.office.test >-||||||||||0|unknown  true
10.9.0.2:24 lmtp mx.office.test zoe@office.test>anna@office.test-||||nobody sees||||||207|accepted 250 2.2.0 Ok false
10.9.0.1:25 smtp chunks.test zoe@office.test>anna@office.test-||||chunked||||||25|accepted 250 2.0.0 Ok: 25 bytes queued as 6485399053F false
10.9.0.2:24 lmtp mx.office.test zoe@office.test>anna@office.test-||||chunked||||||194|accepted 250 2.2.0 Ok false
`
	rows := meterFile(t, "../testdata/mail/mail.pcap")
	slices.SortStableFunc(rows.Mail, func(a, b tables.Mail) int { return cmp.Compare(a.TS, b.TS) })
	services := map[tables.ID]string{}
	for _, f := range rows.flows {
		services[f.ConnID] = f.Service
	}
	got := "\n"
	for i := range rows.Mail {
		r := &rows.Mail[i]
		if services[r.ConnID] != "smtp" || !r.PacketID.Set || r.ClientPort == 0 {
			t.Errorf("%+v is of %s", r, services[r.ConnID])
		}
		date := ""
		if r.Date.Set {
			date = fmt.Sprint(r.Date.V - r.TS)
		}
		got += fmt.Sprintf("%s:%d %s %s %s>%s-%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%d|%s %s %t\n", r.Server, r.ServerPort, r.Protocol, r.Helo, r.MailFrom, r.RcptTo, r.RcptRefused,
			r.From, r.To, r.Cc, r.Subject, date, r.MessageID, r.UserAgent, r.ContentType, r.Attachments, r.Bytes.V, r.Outcome, r.Reply, r.StartTLS)
	}
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestMailAgainstTshark compares heads and envelopes.
func TestMailAgainstTshark(t *testing.T) {
	same, all := 0, 0
	words := mime.WordDecoder{}
	read := func(value string) string {
		text, _ := words.DecodeHeader(strings.NewReplacer(`\r\n`, "", `\t`, "\t").Replace(strings.TrimSpace(value)))
		return text
	}
	for _, file := range append(capturesWith(t, "smtp"), "../testdata/mail/mail.pcap") {
		var ours, theirs []string
		ends := []string{"ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "tcp.srcport", "tcp.dstport"}
		for _, f := range tsharkFields(t, file, "smtp.req.command", append(ends, "smtp.req.command", "smtp.req.parameter")...) {
			parameters := strings.Split(f["smtp.req.parameter"], "|")
			for command := range strings.SplitSeq(f["smtp.req.command"], "|") {
				if command == "DATA" || command == "QUIT" || command == "RSET" {
					continue // without one
				}
				if verb := strings.ToUpper(command); verb == "MAIL" || verb == "RCPT" {
					_, after, _ := strings.Cut(parameters[0], "<")
					mailbox, _, _ := strings.Cut(after, ">")
					theirs = append(theirs, strings.ToLower(fmt.Sprint(tsharkEnd(f, "src"), " ", verb, " ", mailbox)))
				}
				parameters = append(parameters[1:], "")
			}
		}
		for _, f := range tsharkFields(t, file, "imf && smtp", append(ends, "imf.subject", "imf.from", "imf.to", "imf.cc", "imf.date", "imf.message_id", "imf.content.type")...) {
			kind, _, _ := strings.Cut(f["imf.content.type"], ";")
			date := ""
			if at, err := mail.ParseDate(f["imf.date"]); err == nil {
				date = fmt.Sprint(at.UnixMicro())
			}
			theirs = append(theirs, fmt.Sprintf("%s %q %q %q %q %s %s %s", tsharkEnd(f, "src"), read(f["imf.subject"]), read(f["imf.from"]), read(f["imf.to"]), read(f["imf.cc"]),
				date, strings.Trim(f["imf.message_id"], "<>"), strings.ToLower(kind)))
		}
		for _, r := range meterFile(t, file).Mail {
			who, date := fmt.Sprintf("%s:%d", r.Client, r.ClientPort), ""
			if r.MailFrom != "" {
				ours = append(ours, fmt.Sprint(who, " mail ", strings.TrimPrefix(r.MailFrom, tables.NullSender)))
			}
			for mailbox := range strings.SplitSeq(r.RcptTo, ",") {
				if mailbox != "" {
					ours = append(ours, fmt.Sprint(who, " rcpt ", mailbox))
				}
			}
			if r.Date.Set {
				date = fmt.Sprint(int64(r.Date.V))
			}
			if r.Bytes.Set {
				ours = append(ours, fmt.Sprintf("%s %q %q %q %q %s %s %s", who, r.Subject, r.From, r.To, r.Cc, date, r.MessageID, r.ContentType))
			}
		}
		s, a := tally(t, file, ours, theirs)
		same, all = same+s, all+a
	}
	t.Logf("%d of %d rows are the same", same, all)
	if same*100 < all*99 {
		t.Error("fewer than 99 of 100")
	}
}
