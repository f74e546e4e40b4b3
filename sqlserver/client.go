package sqlserver

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/dolthub/vitess/go/mysql"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"

	"github.com/wiresql/wiresql/functions"
)

// client is a connection: who is at its other end, and what it has prepared.
// One goroutine serves it, a command at a time.
type client struct {
	packets
	handler *handler
	// wire is the connection as go-mysql-server's sessions know it. Nothing is
	// read or written through it.
	wire         *mysql.Conn
	capabilities uint32
	statements   map[uint32]*prepared
	lastPrepared uint32
	held         int // bytes of statements and their parameters
	kept         keptRows
}

// Commands that vitess has no names for.
const (
	comRefresh     = 0x07
	comStatistics  = 0x09
	comProcessInfo = 0x0a
	comProcessKill = 0x0c
	comDebug       = 0x0d
	comBinlogDump  = 0x12
	comTableDump   = 0x13
	comChangeUser  = 0x11
)

// errQuit is the end of a conversation. By errKilled the client ended it itself
// and is told.
var (
	errQuit   = errors.New("the client has left")
	errKilled = newError(1317, "Query execution was interrupted")
	errIdle   = newError(4031, "The client was disconnected by the server because of inactivity. See wait_timeout and interactive_timeout for configuring this behavior.")
)

// leftEarly tells whether the other end closed the connection without a word.
func leftEarly(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// serve speaks with a client until one of the two has enough.
func (s *Server) serve(raw *conn, id uint32) {
	c := &client{packets: packets{conn: raw, in: raw}, handler: s.handler, statements: map[uint32]*prepared{}, kept: keptRows{store: s.store}}
	c.wire = &mysql.Conn{Conn: raw, ConnectionID: id, StatusFlags: uint16(mysql.ServerStatusAutocommit)}
	defer func() {
		if v := recover(); v != nil {
			s.log.Error("panic in a connection", "panic", v, "stack", string(debug.Stack()))
		}
		c.forget()
		s.handler.connectionClosed(c.wire)
		c.conn.Close()
		raw.Close()
	}()
	s.handler.sessions.AddConn(c.wire)
	if err := c.login(s.tls); err != nil {
		if address := raw.RemoteAddr().String(); leftEarly(err) { // a probe of the port, a statement given up
			s.log.Info("a client left before it had logged in", "client", address, "reason", err)
		} else {
			s.log.Warn("login failed", "client", address, "reason", err)
		}
		c.leave(err)
		return
	}
	c.skips = true
	if c.ok(0, 0, 0, false) != nil || c.flush() != nil {
		return
	}
	for {
		c.sequence = 0
		raw.await(s.handler.patience(c.wire))
		m, err := c.read(s.cfg.MaxRequestBytes)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.sequence = 0 // nobody has asked
			err = errIdle
		}
		if err == nil {
			err = c.command(&m)
		} else if err == errTooLarge && len(m.rest) > 0 {
			s.log.Warn("request too large", "client", raw.RemoteAddr().String(), "limit", s.cfg.MaxRequestBytes)
			err = c.refuse(&m)
		}
		if err == nil {
			err = c.flush()
		}
		if err != nil {
			c.leave(err)
			return
		}
	}
}

// refuse answers a request that was too large.
func (c *client) refuse(m *message) error {
	if m.number(1) != mysql.ComStmtSendLongData {
		return c.fail(errTooLarge)
	}
	if st := c.statements[uint32(m.number(4))]; st != nil {
		c.reset(st)
		st.tooLong = true
	}
	return nil
}

// leave tells the client why it is left, if that is its fault.
func (c *client) leave(err error) {
	if known := toClient(err); known != nil && c.fail(known) == nil {
		c.flush()
	}
}

// command answers one. What it returns ends the connection.
func (c *client) command(m *message) error {
	if len(m.rest) == 0 {
		return c.unknown()
	}
	ctx := context.Background()
	switch command := m.number(1); command {
	case mysql.ComQuit:
		return errQuit
	case mysql.ComInitDB:
		return c.done(c.handler.initDB(c.wire, string(m.rest)))
	case mysql.ComQuery:
		return c.query(ctx, string(m.rest), c.capabilities&mysql.CapabilityClientMultiStatements != 0)
	case mysql.ComFieldList:
		return c.fieldList(ctx, m)
	case mysql.ComPing:
		return c.ok(0, 0, 0, false)
	case comStatistics:
		c.begin()
		c.out = append(c.out, c.handler.statistics(c.wire)...)
		return c.end()
	case comProcessInfo:
		return c.query(ctx, "SHOW PROCESSLIST", false)
	case comProcessKill:
		if id := m.number(4); !m.short {
			return c.query(ctx, fmt.Sprintf("KILL %d", id), false)
		}
		return c.fail(errMalformed)
	case comRefresh:
		return c.fail(privilege("RELOAD"))
	case comDebug:
		return c.fail(privilege("SUPER"))
	case comBinlogDump, comTableDump, mysql.ComRegisterReplica, mysql.ComBinlogDumpGTID:
		return c.fail(privilege("REPLICATION SLAVE"))
	case mysql.ComSetOption:
		switch option := m.number(2); {
		case m.short:
			return c.fail(errMalformed)
		case option == 0:
			c.capabilities |= mysql.CapabilityClientMultiStatements
		case option == 1:
			c.capabilities &^= mysql.CapabilityClientMultiStatements
		default:
			return c.unknown()
		}
		return c.eof(c.wire.StatusFlags, 0)
	case comChangeUser:
		return c.done(c.changeUser(m))
	case mysql.ComResetConnection:
		c.forget()
		return c.done(c.handler.reset(c.wire))
	case mysql.ComPrepare:
		return c.prepare(ctx, string(m.rest))
	case mysql.ComStmtExecute:
		return c.execute(ctx, m)
	case mysql.ComStmtFetch:
		return c.fetch(m)
	case mysql.ComStmtReset:
		return c.resetStatement(m)
	case mysql.ComStmtSendLongData:
		c.longData(m)
		return nil
	case mysql.ComStmtClose:
		c.closeStatement(uint32(m.number(4)))
		return nil
	}
	return c.unknown()
}

var errMalformed = newError(1835, "Malformed communication packet.")

func (c *client) unknown() error { return c.fail(newError(1047, "Unknown command")) }

func privilege(name string) *functions.SQLError {
	return newError(1227, "Access denied; you need (at least one of) the "+name+" privilege(s) for this operation")
}

// query runs the statements of a text and sends their results.
func (c *client) query(ctx context.Context, text string, multi bool) error {
	for {
		to := &answer{client: c}
		rest, err := c.handler.run(ctx, c.wire, &statement{text: text, multi: multi}, to)
		if err != nil {
			return c.failed(err)
		}
		if err := to.finish(rest != ""); err != nil || rest == "" {
			return err
		}
		text = rest
	}
}

// failed answers a statement that failed.
func (c *client) failed(err error) error {
	if err == errKilled {
		return err
	}
	return c.fail(err)
}

// fieldList describes the columns of a table whose names are LIKE a pattern.
func (c *client) fieldList(ctx context.Context, m *message) error {
	table, pattern := m.terminated(), strings.TrimRight(string(m.rest), "\x00")
	if m.short {
		return c.fail(errMalformed)
	}
	to := &columnsOnly{}
	if _, err := c.handler.run(ctx, c.wire, &statement{text: "SELECT * FROM `" + strings.ReplaceAll(table, "`", "``") + "` LIMIT 0"}, to); err != nil {
		return c.fail(err)
	}
	for _, f := range to.list {
		if pattern != "" && !like(f.Name, pattern) {
			continue
		}
		c.begin()
		c.out = append(appendField(c.out, f), 0xfb) // its default is NULL
		if err := c.end(); err != nil {
			return err
		}
	}
	return c.eof(c.wire.StatusFlags, 0)
}

// columnsOnly takes the columns of a result.
type columnsOnly struct{ list []*querypb.Field }

func (o *columnsOnly) columns(f []*querypb.Field) error { o.list = f; return nil }
func (o *columnsOnly) row(*rowBuffer) error             { return nil }
func (o *columnsOnly) affected(uint64, uint64)          {}
func (o *columnsOnly) binary() bool                     { return false }

// like tells whether a name matches a pattern with % and _, without case.
func like(name, pattern string) bool {
	switch {
	case pattern == "":
		return name == ""
	case pattern[0] == '%':
		return like(name, pattern[1:]) || name != "" && like(name[1:], pattern)
	case name == "":
		return false
	}
	if pattern[0] == '\\' && len(pattern) > 1 {
		pattern = pattern[1:]
	} else if pattern[0] == '_' {
		return like(name[1:], pattern[1:])
	}
	return strings.EqualFold(name[:1], pattern[:1]) && like(name[1:], pattern[1:])
}

// answer sends a result.
type answer struct {
	*client
	isBinary         bool
	any              bool // columns were sent
	changed, lastKey uint64
}

func (a *answer) binary() bool { return a.isBinary }

func (a *answer) columns(fields []*querypb.Field) error {
	a.any = true
	if err := a.header(fields); err != nil {
		return err
	}
	return a.middle()
}

func (a *answer) row(r *rowBuffer) error {
	a.begin()
	a.out = append(a.out, r.buf...)
	return a.end()
}

func (a *answer) affected(rows, key uint64) { a.changed, a.lastKey = rows, key }

// finish ends the result.
func (a *answer) finish(more bool) error {
	warnings := a.handler.warningCount(a.wire)
	if !a.any {
		return a.ok(a.changed, a.lastKey, warnings, more)
	}
	flags := a.wire.StatusFlags
	if more {
		flags |= mysql.ServerMoreResultsExists
	}
	return a.eof(flags, warnings)
}

// header writes the number of columns, and each.
func (c *client) header(fields []*querypb.Field) error {
	c.begin()
	c.out = appendLength(c.out, uint64(len(fields)))
	if err := c.end(); err != nil {
		return err
	}
	return c.describe(fields)
}

// describe writes a message for each column.
func (c *client) describe(fields []*querypb.Field) error {
	for _, f := range fields {
		c.begin()
		c.out = appendField(c.out, f)
		if err := c.end(); err != nil {
			return err
		}
	}
	return nil
}

// middle is between columns and rows, for clients that want something there.
func (c *client) middle() error {
	if c.capabilities&mysql.CapabilityClientDeprecateEOF != 0 {
		return nil
	}
	return c.eof(c.wire.StatusFlags, 0)
}

// eof ends a list.
func (c *client) eof(flags, warnings uint16) error {
	c.begin()
	c.out = append(c.out, mysql.EOFPacket)
	if c.capabilities&mysql.CapabilityClientDeprecateEOF != 0 {
		c.out = binary.LittleEndian.AppendUint16(append(c.out, 0, 0), flags)
		c.out = binary.LittleEndian.AppendUint16(c.out, warnings)
	} else {
		c.out = binary.LittleEndian.AppendUint16(c.out, warnings)
		c.out = binary.LittleEndian.AppendUint16(c.out, flags)
	}
	return c.end()
}

func (c *client) ok(rows, key uint64, warnings uint16, more bool) error {
	flags := c.wire.StatusFlags
	if more {
		flags |= mysql.ServerMoreResultsExists
	}
	c.begin()
	c.out = appendLength(appendLength(append(c.out, mysql.OKPacket), rows), key)
	c.out = binary.LittleEndian.AppendUint16(c.out, flags)
	c.out = binary.LittleEndian.AppendUint16(c.out, warnings)
	return c.end()
}

// fail sends an error.
func (c *client) fail(err error) error {
	e := sqlError(err)
	c.begin()
	c.out = binary.LittleEndian.AppendUint16(append(c.out, mysql.ErrPacket), uint16(e.Number))
	c.out = append(append(append(c.out, '#'), e.State()...), bytes.ToValidUTF8([]byte(e.Message), []byte("?"))...)
	return c.end()
}

// done sends what became of a command without a result.
func (c *client) done(err error) error {
	if err == nil {
		return c.ok(0, 0, 0, false)
	}
	if toClient(err) == nil {
		return err
	}
	return c.fail(err)
}

// send finishes a message that is waited for.
func (c *client) send() error {
	if err := c.end(); err != nil {
		return err
	}
	return c.flush()
}
