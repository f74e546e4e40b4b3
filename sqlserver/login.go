package sqlserver

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"

	"github.com/dolthub/vitess/go/mysql"

	"github.com/wiresql/wiresql/functions"
)

// What the server offers: not compression, local files, query attributes or
// session tracking, whose clients then do without.
const offered = mysql.CapabilityClientLongPassword | mysql.CapabilityClientFoundRows | mysql.CapabilityClientLongFlag |
	mysql.CapabilityClientConnectWithDB | ignoreSpace | mysql.CapabilityClientProtocol41 | interactive | mysql.CapabilityClientSSL |
	mysql.CapabilityClientTransactions | mysql.CapabilityClientSecureConnection | mysql.CapabilityClientMultiStatements |
	mysql.CapabilityClientMultiResults | preparedMultiResults | mysql.CapabilityClientPluginAuth | mysql.CapabilityClientConnAttr |
	mysql.CapabilityClientPluginAuthLenencClientData | mysql.CapabilityClientDeprecateEOF

// Capabilities that vitess has no names for.
const (
	ignoreSpace          = 1 << 8
	interactive          = 1 << 10
	preparedMultiResults = 1 << 18
)

// plugin is the one way to log in.
const plugin = string(mysql.CachingSha2Password)

const (
	// loginBytes bounds the messages of a login: MySQL takes 64 KiB of
	// attributes.
	loginBytes = 128 << 10
	// handshakeCollation is utf8mb4_general_ci, which every client knows.
	handshakeCollation = 45
	// nameBytes is how much of a user's name an error repeats.
	nameBytes = 96
)

var (
	errHandshake = newError(1043, "Bad handshake")
	// MySQL's text, and what to do.
	errInsecure = newError(3159, "Connections using insecure transport are prohibited while --require_secure_transport=ON: "+
		"the password would be readable on the network. Connect with TLS: --ssl-mode=REQUIRED (mysql), --ssl (mariadb), sslMode=trust (JDBC), tls=skip-verify (Go), ssl={} (Python, Node.js)")
)

// login greets a client, begins TLS and checks the password.
func (c *client) login(config *tls.Config) error {
	salt, err := newSalt()
	if err != nil {
		return err
	}
	c.begin()
	c.out = append(append(append(c.out, 10), serverVersion...), 0)
	c.out = binary.LittleEndian.AppendUint32(c.out, c.wire.ConnectionID)
	c.out = append(append(c.out, salt[:8]...), 0)
	c.out = binary.LittleEndian.AppendUint16(c.out, uint16(offered&0xffff))
	c.out = append(c.out, handshakeCollation)
	c.out = binary.LittleEndian.AppendUint16(c.out, c.wire.StatusFlags)
	c.out = binary.LittleEndian.AppendUint16(c.out, uint16(offered>>16))
	c.out = append(append(c.out, byte(len(salt)+1)), make([]byte, 10)...)
	c.out = append(append(append(c.out, salt[8:]...), 0), plugin...)
	c.out = append(c.out, 0)
	if err := c.send(); err != nil {
		return err
	}
	m, err := c.read(loginBytes)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(append(m.rest[:min(4, len(m.rest)):4], 0, 0, 0, 0))&mysql.CapabilityClientProtocol41 == 0 || len(m.rest) < 32 {
		return errHandshake
	}
	if m.number(4)&mysql.CapabilityClientSSL == 0 {
		return errInsecure
	}
	secure := tls.Server(c.conn, config)
	if err := secure.Handshake(); err != nil {
		return err
	}
	c.conn, c.wire.Conn = secure, secure
	c.buffered()
	if m, err = c.read(loginBytes); err != nil {
		return err
	}
	c.capabilities = uint32(m.number(4)) & offered
	m.number(4) // the largest packet the client takes
	c.wire.CharacterSet = byte(m.number(1))
	m.bytes(23)
	user := m.terminated()
	var response []byte
	switch {
	case c.capabilities&mysql.CapabilityClientPluginAuthLenencClientData != 0:
		response = m.text()
	case c.capabilities&mysql.CapabilityClientSecureConnection != 0:
		response = m.bytes(int(m.number(1)))
	default:
		response = []byte(m.terminated())
	}
	schema := ""
	if c.capabilities&mysql.CapabilityClientConnectWithDB != 0 {
		schema = m.terminated()
	}
	if m.short {
		return errHandshake
	}
	method := ""
	if c.capabilities&mysql.CapabilityClientPluginAuth != 0 {
		method = m.terminated() // what follows are attributes, which nobody reads
	}
	if err := c.authenticate(user, method, response); err != nil {
		return err
	}
	c.wire.Capabilities = c.capabilities
	return c.handler.greet(c.wire, schema)
}

// authenticate asks for the password, whatever the client has sent before: a
// scramble of it can be checked only with a weakly hashed copy.
func (c *client) authenticate(user, method string, response []byte) error {
	if len(user) > nameBytes {
		user = user[:nameBytes]
	}
	if method != plugin || len(response) == 0 {
		salt, err := newSalt()
		if err != nil {
			return err
		}
		c.begin()
		c.out = append(append(append(c.out, mysql.AuthSwitchRequestPacket), plugin...), 0)
		c.out = append(append(c.out, salt...), 0)
		if err := c.send(); err != nil {
			return err
		}
		m, err := c.read(loginBytes)
		if err != nil {
			return err
		}
		response = m.rest
	}
	remote := c.wire.RemoteAddr()
	// An empty password is sent as nothing, or as its end.
	if len(response) == 0 || len(response) == 1 && response[0] == 0 {
		return accessDenied(user, remote, false)
	}
	c.begin()
	c.out = append(c.out, mysql.AuthMoreDataPacket, mysql.CachingSha2FullAuth)
	if err := c.send(); err != nil {
		return err
	}
	m, err := c.read(loginBytes)
	if err != nil {
		return err
	}
	known, err := c.handler.accounts.check(user, string(bytes.TrimSuffix(m.rest, []byte{0})), remote)
	if err != nil {
		return err
	}
	c.wire.User, c.wire.UserData = user, known
	return nil
}

// changeUser logs in again: another user, another session. What was before is
// left as it was when the password is wrong.
func (c *client) changeUser(m *message) error {
	user := m.terminated()
	m.bytes(int(m.number(1)))
	schema := m.terminated()
	if m.short {
		return errHandshake
	}
	charset := c.wire.CharacterSet
	if len(m.rest) >= 2 {
		charset = byte(m.number(2))
	}
	name, known := c.wire.User, c.wire.UserData
	if err := c.authenticate(user, "", nil); err != nil {
		return err
	}
	before := c.wire.CharacterSet
	c.wire.CharacterSet = charset
	err := c.handler.knows(c.wire, schema)
	if err == nil {
		c.forget()
		err = c.handler.greet(c.wire, schema)
	} else {
		c.wire.User, c.wire.UserData, c.wire.CharacterSet = name, known, before
	}
	return err
}

// newSalt makes the bytes a client scrambles its password with: none is zero.
func newSalt() ([]byte, error) {
	salt := make([]byte, 20)
	if _, err := rand.Read(salt); err != nil {
		return nil, err
	}
	for i := range salt {
		salt[i] = salt[i]&0x7f | 1
	}
	return salt, nil
}

// toClient tells what of a login's end the client can be told.
func toClient(err error) *functions.SQLError {
	var known *functions.SQLError
	if errors.As(err, &known) {
		return known
	}
	return nil
}
