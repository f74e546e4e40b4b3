package observe

import (
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// Extensions of TLS (IANA's registry) that are read.
const (
	extServerName          = 0
	extGroups              = 10
	extPointFormats        = 11
	extSignatureAlgorithms = 13
	extALPN                = 16
	extPreSharedKey        = 41
	extSupportedVersions   = 43
)

// helloMessage is a ClientHello or ServerHello (RFC 8446 section 4.1).
type helloMessage struct {
	version    uint16 // as it stands there; TLS 1.3 is in versions
	retry      bool   // a HelloRetryRequest
	ciphers    []uint16
	extensions []uint16
	hasName    bool
	name       string
	groups     []uint16
	formats    []byte
	signatures []uint16
	versions   []uint16
	alpn       []string
	preShared  bool
	whole      bool
}

// retryRandom marks a ServerHello that is a HelloRetryRequest (RFC 8446 section 4.1.3).
var retryRandom = func() [32]byte { return sha256.Sum256([]byte("HelloRetryRequest")) }()

// readHello reads a message, without its header of four bytes, as far as it goes.
func readHello(b []byte, client bool) (h helloMessage) {
	r := bytesReader{b, true}
	h.version = uint16(r.number(2))
	h.retry = !client && string(r.take(32)) == string(retryRandom[:])
	if client {
		r.take(32)
	}
	// Drafts of TLS 1.3 to the 21st have a ServerHello without session and compression.
	draft := !client && h.version>>8 == 0x7f
	if !draft {
		r.vector(1) // session
	}
	if client {
		h.ciphers = numbers(r.vector(2).b)
		r.vector(1) // compression
	} else {
		if c := r.take(2); c != nil {
			h.ciphers = numbers(c)
		}
		if !draft {
			r.take(1)
		}
	}
	if h.whole = r.ok; !r.ok || len(r.b) == 0 {
		return h
	}
	total := int(r.number(2))
	h.whole = r.ok && total <= len(r.b)
	for r.b = r.b[:min(total, len(r.b))]; r.ok && len(r.b) > 0; {
		kind := uint16(r.number(2))
		body := r.vector(2)
		if !r.ok {
			h.whole = false
			break
		}
		h.extensions = append(h.extensions, kind)
		h.extension(kind, body, client)
	}
	return h
}

func (h *helloMessage) extension(kind uint16, body bytesReader, client bool) {
	switch kind {
	case extServerName:
		h.hasName = true
		for list := body.vector(2); list.ok && len(list.b) > 0; {
			kind, name := list.number(1), list.vector(2)
			if name.ok && kind == 0 {
				h.name = plainName(name.b)
				return
			}
		}
	case extGroups:
		h.groups = numbers(body.vector(2).b)
	case extPointFormats:
		h.formats = body.vector(1).b
	case extSignatureAlgorithms:
		h.signatures = numbers(body.vector(2).b)
	case extALPN:
		for list := body.vector(2); list.ok && len(list.b) > 0; {
			if name := list.vector(1); name.ok {
				h.alpn = append(h.alpn, string(name.b))
			}
		}
	case extSupportedVersions:
		if client {
			body = body.vector(1)
		}
		h.versions = numbers(body.b)
	case extPreSharedKey:
		h.preShared = true
	}
}

// chosen is the version a ServerHello chose.
func (h *helloMessage) chosen() uint16 {
	if len(h.versions) > 0 {
		return h.versions[0]
	}
	return h.version
}

// numbers reads 16-bit numbers.
func numbers(b []byte) (list []uint16) {
	for ; len(b) >= 2; b = b[2:] {
		list = append(list, uint16(b[0])<<8|uint16(b[1]))
	}
	return list
}

// isGREASE tells the values that are sent to be ignored (RFC 8701).
func isGREASE(n uint16) bool { return n&0x0f0f == 0x0a0a && n>>8 == n&0xff }

func withoutGREASE(list []uint16) []uint16 {
	return slices.DeleteFunc(slices.Clone(list), isGREASE)
}

// ja3 is the fingerprint of a ClientHello (https://github.com/salesforce/ja3).
func (h *helloMessage) ja3() string {
	formats := make([]uint16, len(h.formats))
	for i, f := range h.formats {
		formats[i] = uint16(f)
	}
	return md5Hex(fmt.Sprintf("%d,%s,%s,%s,%s", h.version, decimals(withoutGREASE(h.ciphers)), decimals(withoutGREASE(h.extensions)),
		decimals(withoutGREASE(h.groups)), decimals(formats)))
}

// ja3s is the fingerprint of a ServerHello.
func (h *helloMessage) ja3s() string {
	return md5Hex(fmt.Sprintf("%d,%s,%s", h.version, decimals(h.ciphers), decimals(h.extensions)))
}

func md5Hex(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func decimals(list []uint16) string {
	b := make([]byte, 0, 6*len(list))
	for i, n := range list {
		if i > 0 {
			b = append(b, '-')
		}
		b = strconv.AppendUint(b, uint64(n), 10)
	}
	return string(b)
}

// ja4 is the fingerprint of a ClientHello over t(cp) or q(uic)
// (https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md).
func (h *helloMessage) ja4(over byte) string {
	ciphers, extensions := withoutGREASE(h.ciphers), withoutGREASE(h.extensions)
	version := h.version
	if versions := withoutGREASE(h.versions); len(versions) > 0 {
		version = slices.Max(versions)
	}
	text := fmt.Appendf(nil, "%c%s%c%02d%02d%s_", over, ja4Version(version), "id"[ja4Bool(h.hasName)], min(len(ciphers), 99), min(len(extensions), 99), h.ja4ALPN())
	slices.Sort(ciphers)
	text = append(append(text, ja4Hash(hexes(ciphers))...), '_')
	extensions = slices.DeleteFunc(extensions, func(n uint16) bool { return n == extServerName || n == extALPN })
	slices.Sort(extensions)
	list := hexes(extensions)
	if signatures := withoutGREASE(h.signatures); len(signatures) > 0 {
		list += "_" + hexes(signatures)
	}
	return string(append(text, ja4Hash(list)...))
}

func ja4Bool(b bool) int {
	if b {
		return 1
	}
	return 0
}

func ja4Version(version uint16) string {
	return cmp.Or(map[uint16]string{0x304: "13", 0x303: "12", 0x302: "11", 0x301: "10", 0x300: "s3", 2: "s2"}[version], "00")
}

// ja4ALPN is the first and the last character of the first protocol; of their hex
// digits, if one is neither letter nor digit.
func (h *helloMessage) ja4ALPN() string {
	if len(h.alpn) == 0 || h.alpn[0] == "" {
		return "00"
	}
	first := h.alpn[0]
	plain := func(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }
	if !plain(first[0]) || !plain(first[len(first)-1]) {
		first = hex.EncodeToString([]byte(first))
	}
	return string([]byte{first[0], first[len(first)-1]})
}

func ja4Hash(list string) string {
	if list == "" {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(list))
	return hex.EncodeToString(sum[:6])
}

func hexes(list []uint16) string {
	b := make([]byte, 0, 5*len(list))
	for i, n := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = hex.AppendEncode(b, []byte{byte(n >> 8), byte(n)})
	}
	return string(b)
}

// versionName is a version of TLS as OpenSSL and MySQL name it.
func versionName(version uint16) string {
	switch version {
	case 0x304:
		return "TLSv1.3"
	case 0x303:
		return "TLSv1.2"
	case 0x302:
		return "TLSv1.1"
	case 0x301:
		return "TLSv1"
	case 0x300:
		return "SSLv3"
	case 2:
		return "SSLv2"
	}
	if version>>8 == 0x7f { // RFC 8446 was 28 drafts
		return fmt.Sprintf("TLSv1.3-draft%d", version&0xff)
	}
	return fmt.Sprintf("0x%04x", version)
}

// joined is a list of protocols as text.
func joined(list []string) string {
	parts := make([]string, len(list))
	for i, s := range list {
		parts[i] = plainText([]byte(s), maxALPN)
	}
	return cutText(strings.Join(parts, ","), maxALPN)
}

// plainName folds a host name that was sent as bytes; what is not printable
// ASCII is no host name.
func plainName(b []byte) string {
	if len(b) > tables.MaxHost {
		return ""
	}
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return ""
		}
	}
	return tables.FoldName(string(b))
}
