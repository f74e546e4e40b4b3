package observe

import (
	"bytes"
	"io"
	"mime"
	netmail "net/mail"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/htmlindex"

	"github.com/wiresql/wiresql/tables"
)

// mailText reads a message (RFC 5322) as it comes: its head, and those of its parts
// (RFC 2046), of which names are noted. Of bodies nothing is kept.
type mailText struct {
	Where textPlace
	// Line is one that is not whole, as far as it matters, Length how long it is, and CR that
	// it ends with a carriage return; Bare that the one before did not.
	Line     []byte
	Length   int64
	CR, Bare bool
	Inner    bool   // the head of the message is over
	Field    []byte // of a head, unfolded
	Heads    int    // bytes of heads
	// Of the head that is read:
	Type, Disposition string
	Bounds            []string // between parts, the outermost first
	Over              bool
}

type textPlace uint8

const (
	inHead textPlace = iota
	inBody
)

const (
	// maxTextField is how much of a field of a head is read, maxHeads how much of all of
	// a message.
	maxTextField = 8 << 10
	maxHeads     = 256 << 10
	// The columns' sizes.
	maxMailName = 512
	maxMailList = 2048
	maxSubjects = 1024
	maxPartName = 255
	// maxNested is how deep parts have parts, maxFieldParameters how many parameters a field
	// may have.
	maxNested          = 16
	maxFieldParameters = 64
	// maxBoundary is what RFC 2046 allows, and then some.
	maxBoundary = 250
)

func (t *mailText) holds() int {
	return cap(t.Line) + cap(t.Field) + len(t.Type) + len(t.Disposition) + maxBoundary*len(t.Bounds)
}

// read takes bytes of a message. Where it ends with a line of a dot (RFC 5321 section
// 4.5.2), over tells that it did, after used bytes.
func (t *mailText) read(row *tables.Mail, b []byte, dotted bool) (used int, over bool) {
	row.Bytes.Set = true
	for rest := b; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte{'\n'})
		rest = after
		if len(line) > 0 {
			t.CR = line[len(line)-1] == '\r'
		}
		begun := t.Length > 0
		if t.Length += int64(len(line)); !whole {
			t.keep(line)
			break
		}
		if begun {
			t.keep(line)
			line = t.Line
		}
		if dotted && !t.Bare && string(line) == ".\r" {
			t.Line, t.Length = nil, 0
			return len(b) - len(rest), true
		}
		if row.Bytes.V += t.Length + 1; dotted && len(line) > 0 && line[0] == '.' {
			row.Bytes.V--
			line = line[1:]
		}
		t.line(row, bytes.TrimSuffix(line, []byte{'\r'}))
		t.Bare = !t.CR
		t.Line, t.Length, t.CR = t.Line[:0], 0, false
	}
	return len(b), false
}

// keep remembers what came of a line.
func (t *mailText) keep(b []byte) {
	most := maxTextField
	if t.Where == inBody { // a boundary at most
		most = maxBoundary + 8
	}
	if n := most - len(t.Line); n > 0 {
		t.Line = append(t.Line, b[:min(n, len(b))]...)
	}
}

// lack: which head bytes that are missing were of is not known.
func (t *mailText) lack(row *tables.Mail, n int) {
	t.field(row)
	row.Bytes = tables.Some(row.Bytes.V + t.Length + int64(n))
	t.Line, t.Length, t.Bare = t.Line[:0], 0, true
	t.Where, t.Inner, t.Type, t.Disposition = inBody, true, "", ""
}

// line reads one.
func (t *mailText) line(row *tables.Mail, line []byte) {
	if t.Where == inBody || t.Inner {
		if bytes.HasPrefix(line, []byte("--")) && t.boundary(row, line[2:]) || t.Where == inBody {
			return
		}
	}
	if t.Heads += len(line); t.Heads > maxHeads {
		line = nil
	}
	switch {
	case len(line) == 0:
		t.field(row)
		t.body(row)
	case (line[0] == ' ' || line[0] == '\t') && len(t.Field) > 0:
		if n := maxTextField - len(t.Field); n > 0 {
			t.Field = append(t.Field, line[:min(n, len(line))]...)
		}
	default:
		t.field(row)
		t.Field = append(t.Field[:0], line[:min(len(line), maxTextField)]...)
	}
}

// boundary tells whether a line begins or ends a part, by what is behind its dashes.
func (t *mailText) boundary(row *tables.Mail, b []byte) bool {
	b = bytes.TrimRight(b, " \t")
	for i := len(t.Bounds) - 1; i >= 0; i-- {
		rest, ok := bytes.CutPrefix(b, []byte(t.Bounds[i]))
		if !ok || len(rest) > 0 && string(rest) != "--" {
			continue
		}
		if t.Where == inHead {
			t.field(row)
			t.body(row)
		}
		if t.Bounds, t.Where = t.Bounds[:i+1], inHead; len(rest) > 0 {
			t.Bounds, t.Where = t.Bounds[:i], inBody
		}
		return true
	}
	return false
}

// field reads the field of a head that is whole.
func (t *mailText) field(row *tables.Mail) {
	name, value, ok := bytes.Cut(t.Field, []byte{':'})
	value = bytes.TrimSpace(value)
	t.Field = t.Field[:0]
	if !ok || len(name) > maxWord || len(value) == 0 {
		return
	}
	set := func(column *string, n int) {
		if *column == "" && !t.Inner {
			*column = cutText(decodedWords(value), n)
		}
	}
	switch strings.ToLower(string(bytes.TrimRight(name, " \t"))) {
	case "content-type":
		if t.Type == "" {
			t.Type = string(value)
		}
	case "content-disposition":
		if t.Disposition == "" {
			t.Disposition = string(value)
		}
	case "from":
		set(&row.From, maxMailName)
	case "to":
		set(&row.To, maxMailList)
	case "cc":
		set(&row.Cc, maxMailList)
	case "reply-to":
		set(&row.ReplyTo, maxMailName)
	case "subject":
		set(&row.Subject, maxSubjects)
	case "message-id":
		value = bytes.TrimSuffix(bytes.TrimPrefix(value, []byte{'<'}), []byte{'>'})
		set(&row.MessageID, maxMailName)
	case "user-agent":
		if !t.Inner {
			row.UserAgent = cutText(decodedWords(value), maxMailName)
		}
	case "x-mailer":
		set(&row.UserAgent, maxMailName)
	case "date":
		if at, err := netmail.ParseDate(string(value)); err == nil && !t.Inner && !row.Date.Set {
			row.Date = validity(at)
		}
	}
}

// body has what follows a head read by what that says.
func (t *mailText) body(row *tables.Mail) {
	kind, parameters := mimeValue(t.Type)
	kind = tables.FoldCase(cutText(kind, maxWord))
	_, disposition := mimeValue(t.Disposition)
	if !t.Inner {
		row.ContentType, t.Inner = kind, true
	}
	name := disposition["filename"]
	if name == "" {
		name = parameters["name"]
	}
	row.Attachments = listed(row.Attachments, cutText(name, maxPartName), maxMailList)
	t.Where, t.Type, t.Disposition = inBody, "", ""
	switch {
	case strings.HasPrefix(kind, "multipart/"):
		if b := parameters["boundary"]; b != "" && len(b) <= maxBoundary && len(t.Bounds) < maxNested {
			t.Bounds = append(t.Bounds, b)
		}
	case kind == "message/rfc822" || kind == "message/global":
		t.Where = inHead
	}
}

// end reads what the message ended with.
func (t *mailText) end(row *tables.Mail) {
	if t.Over || !row.Bytes.Set {
		return
	}
	t.Over = true
	row.Bytes.V += t.Length
	if t.Where == inHead {
		if t.Length > 0 {
			t.line(row, bytes.TrimSuffix(t.Line, []byte{'\r'}))
		}
		t.field(row)
		t.body(row)
	}
	t.Line, t.Field, t.Bounds = nil, nil, nil
}

// words decodes encoded words in any character set that browsers know.
var words = mime.WordDecoder{CharsetReader: func(charset string, in io.Reader) (io.Reader, error) {
	e, err := htmlindex.Get(charset)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(in) // a word; a Reader of one has buffers that are a thousand times as long
	if err == nil {
		b, err = e.NewDecoder().Bytes(b)
	}
	return bytes.NewReader(b), err
}}

// decodedWords is the value of a field as it is read (RFC 2047); as it was sent where that
// can't be told.
func decodedWords(value []byte) string {
	text := plainText(value, 2*maxTextField)
	if decoded, err := words.DecodeHeader(text); err == nil {
		return plainText([]byte(decoded), 4*maxTextField)
	}
	return text
}

// mimeValue is a value with parameters, by their names in lower case (RFC 2045 section 5.1,
// RFC 2231): those that programs write, too, which leave out quotes.
func mimeValue(value string) (first string, parameters map[string]string) {
	first, value, _ = strings.Cut(value, ";")
	parameters = map[string]string{}
	pieces := map[string]string{} // of values in several, by name*number
	for n := 0; value != "" && n < maxFieldParameters; n++ {
		var name, text string
		if name, text, value = mimeParameter(value); name == "" {
			continue
		}
		if !strings.Contains(name, "*") {
			if _, ok := parameters[name]; !ok {
				parameters[name] = decodedWords([]byte(text))
			}
			continue
		}
		pieces[name] = text
	}
	joined := map[string]bool{}
	for name := range pieces {
		base, _, _ := strings.Cut(name, "*")
		if joined[base] {
			continue
		}
		joined[base] = true
		if text, ok := joinedPieces(base, pieces); ok {
			parameters[base] = text
		}
	}
	return strings.TrimSpace(first), parameters
}

// mimeParameter takes the first parameter off.
func mimeParameter(s string) (name, value, rest string) {
	i := strings.IndexAny(s, "=;")
	if i < 0 || s[i] == ';' {
		_, rest, _ = strings.Cut(s, ";")
		return "", "", rest
	}
	name, s = strings.ToLower(strings.TrimSpace(s[:i])), strings.TrimLeft(s[i+1:], " \t")
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ";")
		return name, strings.TrimSpace(value), rest
	}
	var text strings.Builder
	i = 1
	for ; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		text.WriteByte(s[i])
	}
	_, rest, _ = strings.Cut(s[min(i+1, len(s)):], ";")
	return name, text.String(), rest
}

// joinedPieces is the value of a parameter whose name has stars: in a character set, in
// pieces, or both.
func joinedPieces(name string, pieces map[string]string) (string, bool) {
	if text, ok := pieces[name+"*"]; ok {
		charset, text := mimeCharset(text)
		return charsetText(charset, percentBytes(text)), true
	}
	var all []byte
	charset := ""
	for i := 0; ; i++ {
		key := name + "*" + strconv.Itoa(i)
		text, plain := pieces[key]
		encoded, ok := pieces[key+"*"]
		switch {
		case plain:
			all = append(all, text...)
			continue
		case !ok && i == 0:
			return "", false
		case !ok:
			return charsetText(charset, all), true
		case i == 0:
			charset, encoded = mimeCharset(encoded)
		}
		all = append(all, percentBytes(encoded)...)
	}
}

// mimeCharset takes character set and language off.
func mimeCharset(text string) (charset, rest string) {
	if parts := strings.SplitN(text, "'", 3); len(parts) == 3 {
		return parts[0], parts[2]
	}
	return "", text
}

// percentBytes undoes %41.
func percentBytes(s string) []byte {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return b
}

func charsetText(charset string, b []byte) string {
	if e, err := htmlindex.Get(charset); err == nil {
		if text, err := e.NewDecoder().Bytes(b); err == nil {
			b = text
		}
	}
	return plainText(b, maxMailList)
}
