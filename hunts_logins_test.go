package main

import (
	"fmt"
	"slices"
	"time"
)

// Messages of Kerberos (RFC 4120), as far as hunts ask for what is in them.

func der(tag byte, parts ...[]byte) []byte {
	b := slices.Concat(parts...)
	if len(b) < 128 {
		return append([]byte{tag, byte(len(b))}, b...)
	}
	return append([]byte{tag, 0x82, byte(len(b) >> 8), byte(len(b))}, b...)
}

func derField(n byte, b []byte) []byte { return der(0xa0|n, b) }
func derNumber(n int8) []byte          { return der(2, []byte{byte(n)}) }
func derText(s string) []byte          { return der(0x1b, []byte(s)) }

func principal(parts ...string) []byte {
	var names [][]byte
	for _, p := range parts {
		names = append(names, derText(p))
	}
	return der(0x30, derField(0, derNumber(1)), derField(1, der(0x30, names...)))
}

func sealed(etype int8) []byte {
	return der(0x30, derField(0, derNumber(etype)), derField(2, der(4, make([]byte, 64))))
}

const (
	aes = 18
	rc4 = 23
)

// kdc is a question to the domain's KDC with its answer: kind is 10 for a ticket to ask for
// tickets, 12 for one of a service; with an error no ticket comes.
func (t *traffic) kdc(at time.Time, client string, kind byte, user, class, host string, proof bool, etype int8, failed int8) {
	t.port = t.port%40000 + 20000
	t.port++
	var padata []byte
	if proof {
		padata = derField(3, der(0x30, der(0x30, derField(1, derNumber(2)), derField(2, der(4, []byte("proof"))))))
	}
	var name []byte
	if kind == 10 {
		name = derField(1, principal(user))
	}
	body := der(0x30, name, derField(2, derText("EXAMPLE.TEST")), derField(3, principal(class, host)), derField(7, derNumber(int8(t.rnd.IntN(100)))),
		derField(8, der(0x30, derNumber(aes), derNumber(rc4))))
	t.udp(at, client, resolver, t.port, 88, der(0x60|kind, der(0x30, derField(1, derNumber(5)), derField(2, derNumber(int8(kind))), padata, derField(4, body))), 0)
	answer := der(0x7e, der(0x30, derField(0, derNumber(5)), derField(1, derNumber(30)), derField(6, derNumber(failed)), derField(9, derText("EXAMPLE.TEST")), derField(10, principal(class, host))))
	if failed == 0 {
		ticket := der(0x61, der(0x30, derField(0, derNumber(5)), derField(1, derText("EXAMPLE.TEST")), derField(2, principal(class, host)), derField(3, sealed(etype))))
		answer = der(0x61+kind, der(0x30, derField(0, derNumber(5)), derField(1, derNumber(int8(kind+1))), derField(3, derText("EXAMPLE.TEST")), derField(4, principal(user)),
			derField(5, ticket), derField(6, sealed(aes))))
	}
	t.udp(at.Add(time.Millisecond), resolver, client, 88, t.port, answer, 0)
}

// logOn is a morning: somebody mistypes a password, proves who they are, and asks for tickets
// of two services, one of them old, and of machines that are.
func (t *traffic) logOn(at time.Time, client, user string) {
	t.kdc(at, client, 10, user, "krbtgt", "EXAMPLE.TEST", false, aes, 25)
	t.kdc(at.Add(time.Second), client, 10, user, "krbtgt", "EXAMPLE.TEST", true, aes, 24)
	t.kdc(at.Add(2*time.Second), client, 10, user, "krbtgt", "EXAMPLE.TEST", true, aes, 0)
	t.kdc(at.Add(3*time.Second), client, 12, user, "cifs", "files.example.test", false, aes, 0)
	t.kdc(at.Add(4*time.Second), client, 12, user, "http", "old.example.test", false, rc4, 0)
	for n, kind := range []string{"ldap", "cifs", "host"} {
		t.kdc(at.Add(time.Duration(5+n)*time.Second), client, 12, user, kind, "dc.example.test", false, rc4, 0)
	}
}

// plantedLogins adds what hunts over logins look for.
func (t *traffic) plantedLogins(noon time.Time) {
	for n := range 5 { // kerberoast
		t.kdc(noon.Add(time.Duration(n)*time.Second), "10.1.0.96", 12, "eve", "mssqlsvc", fmt.Sprintf("db%d.example.test", n), false, rc4, 0)
	}
	t.kdc(noon, "10.1.0.97", 10, "oldaccount", "krbtgt", "EXAMPLE.TEST", false, aes, 0) // asrep_roast
	for n := range 12 {                                                                 // password_spray
		t.kdc(noon.Add(time.Duration(n)*10*time.Second), "10.1.0.98", 10, fmt.Sprintf("user%d", n), "krbtgt", "EXAMPLE.TEST", true, aes, 24)
	}
	said := []part{{1, []byte("220 FTP\r\n"), 0}} // failed_logins; its passwords are in clear
	for range 25 {
		said = append(said, part{0, []byte("USER admin\r\nPASS guess\r\n"), 0}, part{1, []byte("331 go on\r\n530 no\r\n"), 0})
	}
	t.talk(noon, "10.1.0.99", "10.1.0.5", 21, "SF", said)
}
