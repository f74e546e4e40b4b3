package sqlserver

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"unsafe"

	"github.com/dolthub/vitess/go/mysql"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"

	"github.com/wiresql/wiresql/engine"
)

// maxParameters is what the protocol can number.
const maxParameters = 1<<16 - 1

// commands stands between the wire library and a connection that has logged
// in, above TLS, and mends what the library does to prepared statements:
//
//   - It counts a statement's parameters by parsing the text with a grammar of
//     its own, which knows less than ours. It gets a text with nothing but the
//     parameters to count; ComPrepare puts the statement's own back.
//   - It panics at COM_STMT_RESET of an unknown statement, and when long data
//     is sent, reset and sent again; it closes the connection when long data is
//     for a parameter that does not exist, where MySQL says nothing until the
//     execution.
//   - It loses the error of a statement that is executed with a cursor, and
//     refuses to execute a statement whose cursor was not read to its end.
//
// It reads and writes in the goroutine that runs the connection's commands,
// but for the goroutine of a cursor, whose error is taken before it ends.
type commands struct {
	net.Conn
	wire *mysql.Conn
	in   *bufio.Reader
	out  []byte // to be read next
	pass int    // bytes of the current packet that follow as they came
	// preparing is the text of the statement that is being prepared.
	preparing string
	// cursor tells that the statement which is executed asked for a cursor.
	cursor bool
	// failure is the error to write in place of the library's.
	failure *mysql.SQLError
}

// readCommands puts a commands between a connection and its library. Nothing
// of the client's may be in the library's buffer: at the end of the login the
// client waits.
func readCommands(c *mysql.Conn) {
	// The reader is not exported, and was made for the connection below.
	f := reflect.ValueOf(c).Elem().FieldByName("bufferedReader")
	if !f.IsValid() || f.Type() != reflect.TypeFor[*bufio.Reader]() || f.IsNil() {
		return
	}
	own := &commands{Conn: c.Conn, wire: c, in: bufio.NewReaderSize(c.Conn, mysql.DefaultConnBufferSize)}
	(*(**bufio.Reader)(unsafe.Pointer(f.UnsafeAddr()))).Reset(own)
	c.Conn = own
}

// NetConn is the connection below.
func (c *commands) NetConn() net.Conn { return c.Conn }

// commandsOf finds what readCommands put there.
func commandsOf(c *mysql.Conn) *commands {
	own, _ := c.Conn.(*commands)
	return own
}

func (c *commands) Read(p []byte) (int, error) {
	for len(c.out) == 0 {
		if c.pass > 0 {
			n, err := c.in.Read(p[:min(len(p), c.pass)])
			c.pass -= n
			return n, err
		}
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

// next reads the head of a packet, and all of one that is changed.
func (c *commands) next() error {
	head, err := c.in.Peek(4)
	if err != nil {
		return err
	}
	size, sequence := packetSize(head), head[3]
	if size == 0 || sequence != 0 {
		c.pass = 4 + size
		return nil
	}
	if head, err = c.in.Peek(5); err != nil {
		return err
	}
	command := head[4]
	c.failure, c.cursor = nil, false
	switch command {
	case mysql.ComPrepare:
		if _, open := c.openCursor(); open {
			c.failure = errCursorOpen
		}
		p, err := c.packet()
		if err != nil {
			return err
		}
		c.preparing = string(p[1:])
		n := min(engine.CountParameters(c.preparing), maxParameters+1)
		c.out = packet(mysql.ComPrepare, "SELECT 1"+strings.Repeat(",?", min(n, maxParameters)))
	case mysql.ComStmtExecute:
		// Statement, flags; the rest may be large.
		const fixed = 4 + 1 + 4 + 1
		if size < fixed-4 {
			break
		}
		if head, err = c.in.Peek(fixed); err != nil {
			return err
		}
		st := binary.LittleEndian.Uint32(head[5:])
		c.cursor = head[9] != 0
		switch with, open := c.openCursor(); {
		case c.wire.PrepareData[st] == nil:
			c.failure = unknownStatement(st, "mysqld_stmt_execute")
		case open && with == st:
			// Closing a statement that does not exist, which is not answered,
			// closes the cursor.
			c.out = packet(mysql.ComStmtClose, "\x00\x00\x00\x00")
		case open:
			c.failure = errCursorOpen
		}
	case mysql.ComStmtReset:
		if size < 5 {
			break
		}
		if head, err = c.in.Peek(9); err != nil {
			return err
		}
		if st := c.wire.PrepareData[binary.LittleEndian.Uint32(head[5:])]; st != nil && st.BindVars != nil {
			st.BindVars = make(map[string]*querypb.BindVariable, st.ParamsCount)
		} else if st == nil {
			c.failure = unknownStatement(binary.LittleEndian.Uint32(head[5:]), "mysqld_stmt_reset")
			if _, err := c.packet(); err != nil {
				return err
			}
			c.out = []byte{1, 0, 0, 0, unknownCommand}
			return nil
		}
	case mysql.ComStmtSendLongData:
		if size < 7 {
			break
		}
		if head, err = c.in.Peek(11); err != nil {
			return err
		}
		st := c.wire.PrepareData[binary.LittleEndian.Uint32(head[5:])]
		if st == nil || binary.LittleEndian.Uint16(head[9:]) >= st.ParamsCount {
			_, err := c.packet()
			return err
		}
	}
	if len(c.out) == 0 || command == mysql.ComStmtExecute {
		c.pass = 4 + size
	}
	return nil
}

// errCursorOpen tells what the wire library can't do.
var errCursorOpen = newError(1105, "HY000", "a cursor is open on this connection: read it to its end or close its statement first")

// openCursor is the statement whose cursor is not read to its end.
func (c *commands) openCursor() (statement uint32, open bool) {
	// The library does not export it.
	state := reflect.ValueOf(c.wire).Elem().FieldByName("cs")
	if !state.IsValid() || state.Kind() != reflect.Pointer || state.IsNil() {
		return 0, false
	}
	id := state.Elem().FieldByName("stmtID")
	return uint32(id.Uint()), id.IsValid()
}

// unknownCommand is a command that the library answers with an error.
const unknownCommand = 0xff

func unknownStatement(id uint32, command string) *mysql.SQLError {
	return newError(1243, "HY000", fmt.Sprintf("Unknown prepared statement handler (%d) given to %s", id, command))
}

// packet takes a request whole, however many packets it came in.
func (c *commands) packet() ([]byte, error) {
	var whole []byte
	for {
		var head [4]byte
		if _, err := io.ReadFull(c.in, head[:]); err != nil {
			return nil, err
		}
		size := packetSize(head[:])
		start := len(whole)
		whole = append(whole, make([]byte, size)...)
		if _, err := io.ReadFull(c.in, whole[start:]); err != nil {
			return nil, err
		}
		if size < mysql.MaxPacketSize {
			return whole, nil
		}
	}
}

func packetSize(head []byte) int { return int(head[0]) | int(head[1])<<8 | int(head[2])<<16 }

// packet writes a request of one packet.
func packet(command byte, text string) []byte {
	n := 1 + len(text)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), 0, command}, text...)
}

// Write sends an answer; an error in place of the library's.
func (c *commands) Write(p []byte) (int, error) {
	if c.failure != nil && len(p) > 4 && p[4] == mysql.ErrPacket && packetSize(p) == len(p)-4 {
		e := c.failure
		c.failure = nil
		if _, err := c.Conn.Write(errorPacket(p[3], e)); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// errorPacket is an error as it is sent.
func errorPacket(sequence byte, e *mysql.SQLError) []byte {
	p := binary.LittleEndian.AppendUint16([]byte{0, 0, 0, sequence, mysql.ErrPacket}, uint16(e.Num))
	p = append(append(append(p, '#'), e.State...), e.Message...)
	n := len(p) - 4
	p[0], p[1], p[2] = byte(n), byte(n>>8), byte(n>>16)
	return p
}
