package observe

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wiresql/wiresql/tables"
)

// maxCertificates is how many are remembered, so that the same is not parsed again;
// the others are the columns' sizes.
const (
	maxCertificates = 512
	maxNames        = 4096
	maxSubject      = 1024
	maxALPN         = 255
)

// certificate is what a row says of one.
type certificate struct {
	subject, issuer, san string
	notBefore, notAfter  tables.Opt[tables.Time]
	selfSigned           tables.Opt[bool]
}

// certificate puts what a certificate says into a row. Nothing of it is verified:
// its signature may be anybody's.
func (o *Observer) certificate(der []byte, row *tables.TLS) {
	sum := sha256.Sum256(der)
	c, known := o.certificates[sum]
	if !known {
		var ok bool
		if c, ok = parseCertificate(der); !ok {
			o.stats.Malformed++
		}
		if len(o.certificates) >= maxCertificates {
			clear(o.certificates)
		}
		o.certificates[sum] = c
	}
	row.CertSHA256 = hex.EncodeToString(sum[:])
	row.Subject, row.Issuer, row.SAN = c.subject, c.issuer, c.san
	row.NotBefore, row.NotAfter, row.SelfSigned = c.notBefore, c.notAfter, c.selfSigned
}

func parseCertificate(der []byte) (c certificate, ok bool) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return c, false
	}
	var names []string
	names = append(names, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	names = append(names, cert.EmailAddresses...)
	for _, uri := range cert.URIs {
		names = append(names, uri.String())
	}
	c.subject, c.issuer = plainText([]byte(cert.Subject.String()), maxSubject), plainText([]byte(cert.Issuer.String()), maxSubject)
	c.san = plainText([]byte(strings.Join(names, ",")), maxNames)
	c.notBefore, c.notAfter = validity(cert.NotBefore), validity(cert.NotAfter)
	c.selfSigned = tables.Some(bytes.Equal(cert.RawIssuer, cert.RawSubject))
	return c, true
}

// validity is a time that a column can have.
func validity(t time.Time) tables.Opt[tables.Time] {
	if t.Year() < 1000 || t.Year() > 9999 {
		return tables.Opt[tables.Time]{}
	}
	return tables.Some(tables.Time(t.UnixMicro()))
}

// plainText is text that was sent as bytes, at most n of them: what is not UTF-8 is
// read as ISO 8859-1.
func plainText(b []byte, n int) string {
	head := b
	if len(b) > n { // what is cut off is neither looked at nor held
		for head = b[:n]; len(head) > 0 && len(head) > n-utf8.UTFMax && !utf8.RuneStart(b[len(head)]); {
			head = head[:len(head)-1]
		}
	}
	if utf8.Valid(head) {
		return string(head)
	}
	var text strings.Builder
	for _, c := range b {
		if text.Len()+2 > n {
			break
		}
		text.WriteRune(rune(c))
	}
	return text.String()
}
