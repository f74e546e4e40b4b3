package collector

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wiresql/wiresql/tables"
)

// extraField is a field of a template that has no column.
type extraField struct {
	index int    // of the template's fields
	key   string // with quotes and colon
	kind  kind
	when  extraWhen
}

// extraWhen says when a field is left out of extra after all.
type extraWhen uint8

const (
	extraAlways   extraWhen = iota
	extraNonzero            // zeros mean that there is none: texts, tags
	extraExporter           // unless it is the exporter's own address
	extraSampler            // unless the sampler is known: then its rate is there
	extraApp                // unless the application's name is known
)

// member begins a member of the object whose key is written out already.
func (t *extraText) member(key string) {
	t.next()
	t.b = append(t.b, key...)
}

// value appends the octets of an element as JSON: numbers as numbers, all else
// as text.
func (t *extraText) value(k kind, b []byte) {
	n := len(b)
	switch {
	case n == 0 && k != kindString:
		t.b = append(t.b, "null"...)
	case (k == kindUnsigned || k == kindBoolean) && n <= 8:
		v := number(b)
		if k == kindBoolean && (v == 1 || v == 2) { // RFC 7011 section 6.1.5
			t.b = strconv.AppendBool(t.b, v == 1)
			return
		}
		t.b = strconv.AppendUint(t.b, v, 10)
	case k == kindSigned && n <= 8:
		shift := 64 - 8*n
		t.b = strconv.AppendInt(t.b, int64(number(b)<<shift)>>shift, 10)
	case k == kindFloat && (n == 4 || n == 8):
		v, bits := 0.0, 64
		if n == 4 {
			v, bits = float64(math.Float32frombits(binary.BigEndian.Uint32(b))), 32
		} else {
			v = math.Float64frombits(binary.BigEndian.Uint64(b))
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.b = append(t.b, "null"...) // JSON has no such numbers
			return
		}
		t.b = strconv.AppendFloat(t.b, v, 'g', -1, bits)
	case k == kindString:
		for n > 0 && b[n-1] == 0 {
			n-- // fixed-length texts are padded
		}
		t.b = appendJSON(t.b, b[:n])
	case k == kindText && isText(b):
		t.b = appendJSON(t.b, bytes.TrimRight(b, "\x00"))
	case k == kindApplication && n >= 2:
		t.b = append(t.b, '"')
		t.b = appendApplication(t.b, b)
		t.b = append(t.b, '"')
	case k == kindMAC && n == 6:
		t.b = append(t.b, '"')
		for i, c := range b {
			if i > 0 {
				t.b = append(t.b, ':')
			}
			t.b = hex.AppendEncode(t.b, []byte{c})
		}
		t.b = append(t.b, '"')
	case k == kindAddress && (n == 4 || n == 16):
		t.b = append(t.b, '"')
		if n == 4 {
			t.b = tables.AddrFrom4(b).AppendTo(t.b)
		} else {
			t.b = tables.AddrFrom16(b).AppendTo(t.b)
		}
		t.b = append(t.b, '"')
	case k == kindSeconds && n == 4, k >= kindMilliseconds && k <= kindNanoseconds && n == 8:
		t.b = append(t.b, '"')
		t.b = time.UnixMicro(int64(instant(k, b))).UTC().AppendFormat(t.b, "2006-01-02T15:04:05.999999Z")
		t.b = append(t.b, '"')
	default:
		t.b = append(t.b, '"')
		t.b = hex.AppendEncode(t.b, b)
		t.b = append(t.b, '"')
	}
}

// isText tells whether octets are text: printable in UTF-8 up to zeros at their
// end, with a letter or digit in it.
func isText(b []byte) bool {
	word := false
	for b = bytes.TrimRight(b, "\x00"); len(b) > 0; {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n <= 1 || !unicode.IsPrint(r) {
			return false
		}
		word = word || unicode.IsLetter(r) || unicode.IsDigit(r)
		b = b[n:]
	}
	return word
}

// appendApplication appends an applicationId as RFC 6759 writes them: engine and
// selector, 3..80; of engine 20 with the enterprise between, 20..9..1234.
func appendApplication(dst, b []byte) []byte {
	const ofEnterprise = 20 // PANA-L7-PEN, section 4.1
	dst = strconv.AppendUint(dst, uint64(b[0]), 10)
	selector := b[1:]
	if b[0] == ofEnterprise && len(b) > 5 {
		dst = strconv.AppendUint(append(dst, ".."...), number(b[1:5]), 10)
		selector = b[5:]
	}
	dst = append(dst, ".."...)
	if len(selector) > 8 {
		return hex.AppendEncode(dst, selector)
	}
	return strconv.AppendUint(dst, number(selector), 10)
}

// number reads an unsigned integer of up to eight octets: reduced-size
// encoding (RFC 7011 section 6.2) leaves off leading zeros.
func number(b []byte) (v uint64) {
	switch len(b) {
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	case 8:
		return binary.BigEndian.Uint64(b)
	}
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

// ntpEpoch is 1970 in the seconds of NTP, which count from 1900.
const ntpEpoch = 2208988800

// instant reads a time: four octets of seconds, eight of milliseconds, or
// eight in NTP format.
func instant(k kind, b []byte) tables.Time {
	switch k {
	case kindSeconds:
		return tables.Time(binary.BigEndian.Uint32(b)) * 1e6
	case kindMilliseconds:
		// More milliseconds than microseconds have room for are no time.
		return tables.Time(min(binary.BigEndian.Uint64(b), 1<<52)) * 1e3
	}
	seconds, fraction := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	if seconds < ntpEpoch {
		return 0 // before 1970
	}
	return tables.Time(seconds-ntpEpoch)*1e6 + tables.Time(uint64(fraction)*1e6>>32)
}
