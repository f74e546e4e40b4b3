package functions

import (
	"bytes"
	stdjson "encoding/json"
	"math"
	"strconv"
	"strings"

	"vitess.io/vitess/go/mysql/collations/colldata"
	"vitess.io/vitess/go/mysql/decimal"
	"vitess.io/vitess/go/mysql/json"
	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// What is found in documents, and where.

// valueType is the type JSON_VALUE returns: without RETURNING a VARCHAR(512),
// and without a character set text that is compared by bytes (manual 14.17.3).
func valueType(c *call) (Type, error) {
	to := c.node.(*sqlparser.JSONValueExpr).ReturningType
	if to == nil {
		return Type{Kind: Text, Length: 512, Collation: Bin, Coercibility: 2, Nullable: true}, nil
	}
	t, err := c.castTo(to)
	if t.Kind == Text && to.Charset.Name == "" {
		t.Collation = Bin
	}
	if (t.Kind == Text || t.Kind == Bytes) && to.Length == nil {
		t.Length = 0
	}
	t.Nullable = true
	return t, err
}

// evalJSONValue is JSON_VALUE. The document and the path must be right; the
// response to an error is for arrays and objects, for several values, and for
// what the type can't hold.
func evalJSONValue(c *call) (evaluator, error) {
	n := c.node.(*sqlparser.JSONValueExpr)
	convert, err := c.scalarReader()
	if err != nil {
		return nil, err
	}
	defaults := 2
	respond := func(r *sqlparser.JtOnResponse) (func(error) (sqltypes.Value, error), error) {
		switch {
		case r == nil || r.ResponseType == sqlparser.NullJSONType:
			return func(error) (sqltypes.Value, error) { return sqltypes.NULL, nil }, nil
		case r.ResponseType == sqlparser.ErrorJSONType:
			return func(err error) (sqltypes.Value, error) { return sqltypes.NULL, err }, nil
		}
		a := c.args[defaults]
		defaults++
		if !a.Literal || a.Value.IsNull() {
			return nil, Errorf(1067, "Invalid default value for 'json_value'")
		}
		v, err := convert(a.Value.ToString())
		if err != nil {
			return nil, Errorf(1067, "Invalid default value for 'json_value'")
		}
		return func(error) (sqltypes.Value, error) { return v, nil }, nil
	}
	onEmpty, err := respond(n.EmptyOnResponse)
	if err != nil {
		return nil, err
	}
	onError, err := respond(n.ErrorOnResponse)
	if err != nil {
		return nil, err
	}
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		if row[0].IsNull() || row[1].IsNull() {
			return sqltypes.NULL, nil
		}
		d, err := c.document(0, row[0])
		if err != nil {
			return sqltypes.NULL, err
		}
		path, err := jsonPath(row[1])
		if err != nil {
			return sqltypes.NULL, err
		}
		var found []*json.Value
		match(d, path, func(v *json.Value) { found = append(found, v) })
		switch {
		case len(found) == 0:
			return onEmpty(Errorf(3966, "No value was found by 'json_value' on the specified path."))
		case len(found) > 1:
			return onError(Errorf(3967, "More than one value was found by 'json_value' on the specified path."))
		case found[0].Type() == json.TypeNull:
			return sqltypes.NULL, nil
		case c.result.Kind == JSON:
			return jsonText(found[0]), nil
		case found[0].Type() == json.TypeArray || found[0].Type() == json.TypeObject:
			return onError(c.noScalar())
		}
		text := string(found[0].MarshalTo(nil))
		if s, ok := found[0].StringBytes(); ok {
			text = string(s)
		} else if b, ok := found[0].Bool(); ok && c.result.Kind.Numeric() {
			text = map[bool]string{false: "0", true: "1"}[b]
		}
		v, err := convert(text)
		if err != nil {
			return onError(err)
		}
		return v, nil
	}, nil
}

func (c *call) noScalar() error {
	return Errorf(3156, "Invalid JSON value for CAST to %s from column json_value at row 1", c.result)
}

// scalarReader reads the text of a scalar as the call's type. What a CAST would
// cut or shorten is an error.
func (c *call) scalarReader() (func(text string) (sqltypes.Value, error), error) {
	t := c.result
	tooLarge := Errorf(3155, "Out of range JSON value for CAST to %s from column json_value at row 1", t)
	switch t.Kind {
	case Integer, Unsigned, Decimal:
		low, high := decimal.NewFromInt(math.MinInt64), decimal.NewFromInt(math.MaxInt64)
		switch {
		case t.Kind == Unsigned:
			low, high = decimal.NewFromInt(0), decimal.NewFromUint(math.MaxUint64)
		case t.Kind == Decimal:
			high = decimal.New(1, int32(t.Precision-t.Scale)).Sub(decimal.New(1, -int32(t.Scale)))
			low = high.Neg()
		case t.Bits == 16:
			low, high = decimal.NewFromInt(1901), decimal.NewFromInt(2155)
		}
		return func(text string) (sqltypes.Value, error) {
			number, whole := numericPrefix(text, true)
			if f, err := strconv.ParseFloat(number, 64); !whole || number == "" || err != nil {
				return sqltypes.NULL, c.noScalar()
			} else if math.Abs(f) > 1e66 {
				return sqltypes.NULL, tooLarge
			}
			d, err := decimal.NewFromMySQL([]byte(number))
			if err != nil {
				return sqltypes.NULL, c.noScalar()
			}
			if d = d.Round(int32(t.Scale)); d.Cmp(low) < 0 || d.Cmp(high) > 0 {
				return sqltypes.NULL, tooLarge
			}
			return sqltypes.MakeTrusted(sqltypes.Decimal, d.FormatMySQL(int32(t.Scale))), nil
		}, nil
	case Double:
		return func(text string) (sqltypes.Value, error) {
			number, whole := numericPrefix(text, true)
			f, err := strconv.ParseFloat(number, 64)
			if !whole || err != nil {
				return sqltypes.NULL, c.noScalar()
			}
			return sqltypes.NewFloat64(f), nil
		}, nil
	case Time, Date, Clock:
		silent := *c.s
		silent.Warn = nil
		cast := &call{builtin: c.builtin, node: c.node, name: "cast", args: []Argument{{Type: Type{Kind: Text, Collation: Bin}}}, s: &silent, result: t}
		eval, err := evalCast(cast)
		if err != nil {
			return nil, err
		}
		return func(text string) (sqltypes.Value, error) {
			v, err := eval([]sqltypes.Value{sqltypes.NewVarChar(text)})
			if err == nil && v.IsNull() {
				err = c.noScalar()
			}
			return v, err
		}, nil
	case JSON:
		return func(text string) (sqltypes.Value, error) {
			var p json.Parser
			d, err := p.Parse(text)
			if err != nil {
				return sqltypes.NULL, c.noScalar()
			}
			return jsonText(d), nil
		}, nil
	}
	return func(text string) (sqltypes.Value, error) {
		if n := len([]rune(text)); t.Length > 0 && (t.Kind == Text && n > t.Length || t.Kind == Bytes && len(text) > t.Length) {
			return sqltypes.NULL, Errorf(1406, "Data too long for column 'json_value' at row 1")
		}
		return textValue([]byte(text)), nil
	}, nil
}

// evalSearch is JSON_SEARCH: the paths of texts that are LIKE one. They are
// compared by bytes, unless the text looked for has a collation of its own.
func evalSearch(c *call) (evaluator, error) {
	escape := rune('\\')
	if len(c.args) > 3 && c.args[3].Type.Kind != Null {
		text, ok := c.literalText(3)
		if chars := []rune(text); !ok && !c.args[3].Literal || len(chars) > 1 {
			return nil, Errorf(1210, "Incorrect arguments to ESCAPE")
		} else if len(chars) == 1 {
			escape = chars[0]
		}
	}
	id := Bin
	if t := c.args[2].Type; t.Kind == Text && t.Coercibility < 4 && t.Collation != 0 {
		id = unicodeCollation(t.Collation)
	}
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		for i, v := range row[:len(c.args)] {
			if i != 3 && v.IsNull() {
				return sqltypes.NULL, nil
			}
		}
		d, err := c.document(0, row[0])
		if err != nil {
			return sqltypes.NULL, err
		}
		one := strings.EqualFold(row[1].ToString(), "one")
		if !one && !strings.EqualFold(row[1].ToString(), "all") {
			return sqltypes.NULL, Errorf(3154, "The oneOrAll argument to json_search may take these values: 'one' or 'all'.")
		}
		s := documentSearch{pattern: colldata.Lookup(id).Wildcard(row[2].Raw(), 0, 0, escape), one: one}
		for i := 4; i < len(c.args); i++ {
			path, err := jsonPath(row[i])
			if err != nil {
				return sqltypes.NULL, err
			}
			if s.within == nil {
				s.within = map[*json.Value]bool{}
			}
			match(d, path, func(v *json.Value) { s.within[v] = true })
		}
		s.visit(d, []byte("$"), len(c.args) <= 4)
		switch {
		case len(s.found) == 0:
			return sqltypes.NULL, nil
		case len(s.found) == 1:
			return jsonText(s.found[0]), nil
		}
		return jsonText(json.NewArray(s.found)), nil
	}, nil
}

// documentSearch goes through a document in its order.
type documentSearch struct {
	pattern colldata.WildcardPattern
	one     bool
	within  map[*json.Value]bool // what the paths name
	found   []*json.Value
}

// visit looks at a value whose path is at, and at what is in it.
func (s *documentSearch) visit(d *json.Value, at []byte, inside bool) {
	if s.one && len(s.found) > 0 {
		return
	}
	inside = inside || s.within[d]
	if text, ok := d.StringBytes(); ok {
		if inside && s.pattern.Match(text) {
			s.found = append(s.found, json.NewString(string(at)))
		}
		return
	}
	if list, ok := d.Array(); ok {
		for i, e := range list {
			s.visit(e, append(strconv.AppendInt(append(at, '['), int64(i), 10), ']'), inside)
		}
	}
	if object, ok := d.Object(); ok {
		for _, m := range membersOf(object) {
			name := []byte(m.name)
			if !isPathName(m.name) {
				name = json.NewString(m.name).MarshalTo(nil)
			}
			s.visit(m.value, append(append(at, '.'), name...), inside)
		}
	}
}

// isPathName tells whether a key stands in a path without quotes.
func isPathName(key string) bool {
	for i, r := range key {
		letter := r == '_' || r == '$' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 127
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return key != ""
}

// insertElement is JSON_ARRAY_INSERT at one path, which must name a cell. Where
// there is no array the document stays as it is.
func insertElement(d *json.Value, path *json.Path, value *json.Value) (*json.Value, error) {
	text := path.String()
	open := strings.LastIndexByte(text, '[')
	if open < 0 || !strings.HasSuffix(text, "]") {
		return nil, Errorf(3165, "A path expression is not a path to a cell in an array.")
	}
	parent, err := jsonPath(sqltypes.NewVarChar(text[:open]))
	if err != nil {
		return nil, err
	}
	array := at(d, parent)
	if array == nil || array.Type() != json.TypeArray {
		return d, nil
	}
	list := elements(array)
	cell := text[open+1 : len(text)-1]
	back, last := strings.CutPrefix(cell, "last")
	index, err := strconv.Atoi(cell)
	if last {
		index, err = 0, nil
		if back != "" {
			index, err = strconv.Atoi(back) // -n
		}
		index += len(list) - 1
	}
	if err != nil {
		return nil, Errorf(3143, "Invalid JSON path expression: %s", text)
	}
	index = min(max(index, 0), len(list))
	list = append(list[:index], append([]*json.Value{value}, list[index:]...)...)
	if parent.IsRootPath() {
		return json.NewArray(list), nil
	}
	return d, json.ApplyTransform(json.Replace, d, []*json.Path{parent}, []*json.Value{json.NewArray(list)})
}

// evalPretty is JSON_PRETTY.
func evalPretty(c *call) (evaluator, error) {
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		d, err := c.document(0, row[0])
		if err != nil {
			return sqltypes.NULL, err
		}
		var out bytes.Buffer
		if err := stdjson.Indent(&out, appendJSON(nil, d), "", "  "); err != nil {
			return sqltypes.NULL, c.invalidJSON(0, row[0].ToString())
		}
		return textValue(out.Bytes()), nil
	}), nil
}
