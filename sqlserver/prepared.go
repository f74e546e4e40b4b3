package sqlserver

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"

	"github.com/wiresql/wiresql/engine"
)

const (
	// maxParameters is what the protocol can number.
	maxParameters = 1<<16 - 1
	// maxStatements bounds the prepared statements of a connection.
	maxStatements = 16382
	// heldBytes bounds the texts of a connection's prepared statements, and the
	// parameters that came ahead of their execution.
	heldBytes = 16 << 20
	// readOnlyCursor asks for a cursor when a statement is executed.
	readOnlyCursor = 1
)

// prepared is a statement that was prepared.
type prepared struct {
	text  string
	types []parameterType
	bound bool           // types were told
	long  map[int][]byte // parameters that came ahead
	// tooLong tells that one of them was longer than a request may be.
	tooLong bool
	cursor  *cursor
}

// forget closes all that was prepared.
func (c *client) forget() {
	for id := range c.statements {
		c.closeStatement(id)
	}
}

func (c *client) closeStatement(id uint32) {
	if st := c.statements[id]; st != nil {
		c.reset(st)
		c.held -= len(st.text)
		delete(c.statements, id)
	}
}

// reset drops what a statement has of its last execution.
func (c *client) reset(st *prepared) {
	for _, b := range st.long {
		c.held -= len(b)
	}
	st.long, st.tooLong = nil, false
	if st.cursor != nil {
		st.cursor.close()
		st.cursor = nil
	}
}

// statement finds the statement that a command is about.
func (c *client) statement(m *message, command string) (*prepared, error) {
	id := uint32(m.number(4))
	st := c.statements[id]
	if st == nil {
		return nil, newError(1243, fmt.Sprintf("Unknown prepared statement handler (%d) given to %s", id, command))
	}
	return st, nil
}

func (c *client) prepare(ctx context.Context, text string) error {
	if len(c.statements) >= maxStatements || c.held+len(text) > heldBytes {
		return c.fail(newError(1461, fmt.Sprintf("Can't create more than max_prepared_stmt_count statements (current value: %d), or of more than %d MiB", maxStatements, heldBytes>>20)))
	}
	text, fields, err := c.handler.prepare(ctx, c.wire, text)
	if err != nil {
		return c.fail(err)
	}
	n := engine.CountParameters(text)
	c.lastPrepared++
	c.held += len(text)
	c.statements[c.lastPrepared] = &prepared{text: text, types: make([]parameterType, n)}
	c.begin()
	c.out = binary.LittleEndian.AppendUint32(append(c.out, 0), c.lastPrepared)
	c.out = binary.LittleEndian.AppendUint16(c.out, uint16(len(fields)))
	c.out = binary.LittleEndian.AppendUint16(c.out, uint16(n))
	c.out = append(c.out, 0, 0, 0)
	if err := c.end(); err != nil {
		return err
	}
	for range n {
		c.begin()
		c.out = appendField(c.out, &querypb.Field{Name: "?", Type: sqltypes.VarBinary, Charset: 63})
		if err := c.end(); err != nil {
			return err
		}
	}
	if n > 0 {
		if err := c.middle(); err != nil {
			return err
		}
	}
	if err := c.describe(fields); err != nil {
		return err
	}
	if len(fields) > 0 {
		return c.middle()
	}
	return nil
}

func (c *client) execute(ctx context.Context, m *message) error {
	st, err := c.statement(m, "mysqld_stmt_execute")
	if err != nil {
		return c.fail(err)
	}
	flags := m.number(1)
	m.number(4) // iterations: one
	if st.cursor != nil {
		st.cursor.close()
		st.cursor = nil
	}
	params, err := st.parameters(m, c.handler.decoder(c.wire))
	c.reset(st)
	if err != nil {
		return c.fail(err)
	}
	run := &statement{text: st.text, prepared: true, params: params}
	if flags&readOnlyCursor == 0 {
		to := &answer{client: c, isBinary: true}
		if _, err := c.handler.run(ctx, c.wire, run, to); err != nil {
			return c.failed(err)
		}
		return to.finish(false)
	}
	cur := &cursor{kept: &c.kept}
	_, err = c.handler.run(ctx, c.wire, run, cur)
	if err == nil {
		err = cur.rewind()
	}
	if err != nil {
		cur.close()
		return c.failed(err)
	}
	warnings := c.handler.warningCount(c.wire)
	if !cur.isOpen {
		return c.ok(cur.changed, cur.lastKey, warnings, false)
	}
	st.cursor = cur
	if err := c.header(cur.fields); err != nil {
		return err
	}
	return c.eof(c.wire.StatusFlags|uint16(mysql.ServerCursorExists), warnings)
}

// parameters are the values a statement is executed with. Their types stay
// from one execution to the next, unless they are told again.
func (st *prepared) parameters(m *message, decode func(string) string) (engine.Parameters, error) {
	params := make(engine.Parameters, len(st.types))
	if len(params) == 0 {
		return params, nil
	}
	if st.tooLong {
		return nil, newError(1105, "Parameter of prepared statement which is set through mysql_send_long_data() is longer than 'max_allowed_packet' bytes")
	}
	nulls := m.bytes((len(params) + 7) / 8)
	if m.number(1) == 1 {
		for i := range st.types {
			st.types[i] = parameterType{byte(m.number(1)), m.number(1)&0x80 != 0}
		}
		st.bound = !m.short
	}
	if m.short {
		return nil, errMalformed
	}
	if !st.bound {
		return nil, newError(1210, "Incorrect arguments to mysqld_stmt_execute")
	}
	for i, t := range st.types {
		var err error
		if long, ok := st.long[i]; ok {
			if params[i], err = t.text(long, decode); err != nil {
				params[i], err = string(long), nil
			}
		} else if nulls[i/8]&(1<<(i%8)) == 0 {
			params[i], err = t.parameter(m, decode)
		}
		if err == nil && m.short {
			err = errMalformed
		}
		if err != nil {
			return nil, err
		}
	}
	return params, nil
}

// longData takes a part of a parameter ahead of the execution. It has no
// answer: what is wrong with it is told by the execution.
func (c *client) longData(m *message) {
	st := c.statements[uint32(m.number(4))]
	i := int(m.number(2))
	if m.short || st == nil || i >= len(st.types) {
		return
	}
	if len(st.long[i])+len(m.rest) > c.handler.maxRequest || c.held+len(m.rest) > heldBytes {
		c.reset(st)
		st.tooLong = true
	}
	if st.tooLong {
		return
	}
	if st.long == nil {
		st.long = map[int][]byte{}
	}
	c.held += len(m.rest)
	st.long[i] = append(st.long[i], m.rest...)
}

func (c *client) resetStatement(m *message) error {
	st, err := c.statement(m, "mysqld_stmt_reset")
	if err != nil {
		return c.fail(err)
	}
	c.reset(st)
	return c.ok(0, 0, 0, false)
}

// fetch sends the next rows of a cursor. After the last it is closed.
func (c *client) fetch(m *message) error {
	id := binary.LittleEndian.Uint32(append(m.rest[:min(4, len(m.rest)):4], 0, 0, 0, 0))
	st, err := c.statement(m, "mysqld_stmt_fetch")
	if err != nil {
		return c.fail(err)
	}
	if st.cursor == nil {
		return c.fail(newError(1421, fmt.Sprintf("The statement (%d) has no open cursor.", id)))
	}
	flags := c.wire.StatusFlags | uint16(mysql.ServerCursorExists)
	for range m.number(4) {
		row, err := st.cursor.next()
		if err == io.EOF {
			flags = c.wire.StatusFlags | uint16(mysql.ServerCursorLastRowSent)
			c.reset(st)
			break
		}
		if err != nil {
			c.reset(st)
			return c.fail(err)
		}
		c.begin()
		c.out = append(c.out, row...)
		if err := c.end(); err != nil {
			return err
		}
	}
	return c.eof(flags, 0)
}
