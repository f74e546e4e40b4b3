package sqlserver

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"

	"github.com/wiresql/wiresql/engine"
)

// lookRows is after how many rows it is looked whether the statement was ended.
const lookRows = 256

// spooler gives a result to its destination, row by row. It takes columns where
// the engine has them, at about a quarter of the CPU of boxed rows (0.6 against
// 2.2 s per million rows of eight columns), and rows otherwise.
type spooler struct {
	ctx    *sql.Context
	to     destination
	schema sql.Schema
	out    rowBuffer
	// encode converts text to the character set the session asked for; nil
	// for UTF-8.
	encode func([]byte) []byte
	total  int
}

func (s *spooler) begin() error {
	s.out = rowBuffer{binary: s.to.binary(), fields: schemaFields(s.ctx, s.schema)}
	return s.to.columns(s.out.fields)
}

// result sends everything an iterator gives and closes it.
func (s *spooler) result(schema sql.Schema, iter sql.RowIter) (err error) {
	closed := false
	finish := func() error {
		closed = true
		return iter.Close(s.ctx)
	}
	defer func() {
		err = ended(s.ctx, err)
		if !closed {
			if cerr := finish(); err == nil {
				err = cerr
			}
		}
	}()
	if len(schema) == 0 || types.IsOkResultSchema(schema) {
		row, err := iter.Next(s.ctx)
		if err == nil && len(row) > 0 {
			if ok, isOk := row[0].(types.OkResult); isOk {
				s.to.affected(ok.RowsAffected, ok.InsertID)
			}
			// What the statement does may happen when the iterator ends.
			_, err = iter.Next(s.ctx)
		}
		if err != nil && err != io.EOF {
			return err
		}
		return finish()
	}
	// The columns are sent with the first row: until then an error may stand
	// alone.
	s.schema = schema
	s.encode = encoder(s.ctx)
	if c, ok := columnar(iter); ok {
		if err := s.columns(c); err != nil {
			return err
		}
		// Closing sets FOUND_ROWS() to the rows that were taken one by one.
		err := finish()
		s.ctx.SetLastQueryInfoInt(sql.FoundRows, int64(s.total))
		return err
	}
	return s.rows(iter)
}

// columnar finds the engine's iterator below those go-mysql-server wraps
// around the whole of a plan, none of which changes rows.
func columnar(iter sql.RowIter) (engine.Columnar, bool) {
	for {
		if c, ok := iter.(engine.Columnar); ok {
			return c, true
		}
		wrapper, ok := iter.(interface{ GetIter() sql.RowIter })
		if !ok {
			return nil, false
		}
		iter = wrapper.GetIter()
	}
}

func (s *spooler) columns(c engine.Columnar) error {
	var chunk engine.Chunk
	var col, row int
	text := make([]bool, len(s.schema))
	for i, c := range s.schema {
		text[i] = s.encode != nil && types.IsTextOnly(c.Type)
	}
	fill := func(b []byte) ([]byte, bool) {
		start := len(b)
		b, notNull := chunk.AppendText(b, col, row)
		if notNull && text[col] {
			b = append(b[:start], s.encode(b[start:])...)
		}
		return b, notNull
	}
	for {
		var err error
		if chunk, err = c.NextChunk(s.ctx); err == io.EOF {
			return s.look()
		} else if err != nil {
			return err
		}
		for row = range chunk.Len() {
			if err := s.look(); err != nil {
				return err
			}
			s.out.begin()
			for col = range s.schema {
				if err := s.out.cell(col, fill); err != nil {
					return err
				}
			}
			if err := s.to.row(&s.out); err != nil {
				return err
			}
			s.total++
		}
	}
}

func (s *spooler) rows(iter sql.RowIter) error {
	for {
		row, err := iter.Next(s.ctx)
		if err == io.EOF {
			return s.look()
		}
		if err != nil {
			return err
		}
		if len(row) < len(s.schema) {
			return fmt.Errorf("a row has %d values for %d columns", len(row), len(s.schema))
		}
		if err := s.look(); err != nil {
			return err
		}
		s.out.begin()
		for i, col := range s.schema {
			var failed error
			err := s.out.cell(i, func(b []byte) (_ []byte, notNull bool) {
				b, notNull, failed = s.cell(b, col.Type, row[i])
				return b, notNull
			})
			if err := errors.Join(failed, err); err != nil {
				return err
			}
		}
		if err := s.to.row(&s.out); err != nil {
			return err
		}
		s.total++
	}
}

// look sends the columns before the first row, and sees whether the statement
// was ended: an end that was asked for must not wait for a client that reads
// slowly.
func (s *spooler) look() error {
	if s.out.fields == nil {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		return s.begin()
	}
	if s.total%lookRows == 0 {
		return s.ctx.Err()
	}
	return nil
}

// cell converts a boxed value. Times keep all the digits their type has, as in
// MySQL and in results taken by columns.
func (s *spooler) cell(b []byte, t sql.Type, v any) (out []byte, notNull bool, err error) {
	if v == nil {
		return b, false, nil
	}
	if at, ok := v.(time.Time); ok {
		if dt, ok := t.(sql.DatetimeType); ok && dt.Precision() > 0 && dt.Type() != querypb.Type_DATE {
			return at.AppendFormat(b, "2006-01-02 15:04:05.000000"[:20+dt.Precision()]), true, nil
		}
	}
	cell, err := t.SQL(s.ctx, nil, v)
	return append(b, cell.Raw()...), err == nil && !cell.IsNull(), err
}

// encoder converts text to the character set the session asked for; nil for
// UTF-8.
func encoder(ctx *sql.Context) func([]byte) []byte {
	switch set := ctx.GetCharacterSetResults(); set {
	case sql.CharacterSet_utf8mb4, sql.CharacterSet_utf8mb3, sql.CharacterSet_binary, sql.CharacterSet_Unspecified:
		return nil
	default:
		return func(text []byte) []byte { return set.Encoder().EncodeReplaceUnknown(text) }
	}
}

// floating tells clients that a column has as many digits behind the point as
// its values need: what writes doubles as text rounds them to fewer.
const floating = 31

// schemaFields describes columns to the client. A column is named as its
// expression was written, which may have any bytes in it: names are text.
func schemaFields(ctx *sql.Context, schema sql.Schema) []*querypb.Field {
	results, encode := ctx.GetCharacterSetResults(), encoder(ctx)
	fields := make([]*querypb.Field, len(schema))
	for i, c := range schema {
		f := &querypb.Field{
			Name: strings.ToValidUTF8(c.Name, "?"), Table: c.Source, OrgTable: c.Source, Database: c.DatabaseSource,
			Type: c.Type.Type(), ColumnLength: c.Type.MaxTextResponseByteLength(ctx),
			Charset: uint32(sql.Collation_Default.CharacterSet()),
		}
		if encode != nil {
			f.Name = string(encode([]byte(f.Name)))
		}
		f.OrgName = f.Name
		if collated, ok := c.Type.(sql.TypeWithCollation); ok {
			f.Charset = uint32(collated.Collation().CharacterSet())
		}
		if types.IsBinaryType(c.Type) {
			f.Charset = uint32(sql.Collation_binary)
		} else if results != sql.CharacterSet_Unspecified {
			f.Charset = uint32(results)
		}
		var flags querypb.MySqlFlag
		if !c.Nullable {
			flags |= querypb.MySqlFlag_NOT_NULL_FLAG
		}
		if c.PrimaryKey {
			flags |= querypb.MySqlFlag_PRI_KEY_FLAG
		}
		if types.IsUnsigned(c.Type) {
			flags |= querypb.MySqlFlag_UNSIGNED_FLAG
		}
		f.Flags = uint32(flags)
		switch t := c.Type.(type) {
		case sql.DecimalType:
			f.Decimals = uint32(t.Scale())
		case sql.DatetimeType:
			f.Decimals = uint32(t.Precision())
		case interface{ Decimals() int }:
			f.Decimals = uint32(t.Decimals())
		default:
			if types.IsFloat(c.Type) {
				f.Decimals = floating
			}
		}
		fields[i] = f
	}
	return fields
}
