package functions

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"vitess.io/vitess/go/mysql/json"
	"vitess.io/vitess/go/sqltypes"
)

// The order of documents. MySQL keeps the members of an object by the length of
// their names, then by their bytes (manual 13.5): so they are shown, listed and
// found. Package json has them by their bytes alone.

// member is one of an object.
type member struct {
	name  string
	value *json.Value
}

// compareNames orders names of members.
func compareNames(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// membersOf lists an object's.
func membersOf(o *json.Object) []member {
	list := make([]member, 0, o.Len())
	o.Visit(func(name string, v *json.Value) { list = append(list, member{name, v}) })
	slices.SortFunc(list, func(a, b member) int { return compareNames(a.name, b.name) })
	return list
}

// appendJSON writes a document.
func appendJSON(dst []byte, d *json.Value) []byte {
	if o, ok := d.Object(); ok {
		dst = append(dst, '{')
		for i, m := range membersOf(o) {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(json.NewString(m.name).MarshalTo(dst), ": "...)
			dst = appendJSON(dst, m.value)
		}
		return append(dst, '}')
	}
	if list, ok := d.Array(); ok {
		dst = append(dst, '[')
		for i, e := range list {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = appendJSON(dst, e)
		}
		return append(dst, ']')
	}
	return d.MarshalTo(dst)
}

func jsonText(d *json.Value) sqltypes.Value {
	return sqltypes.MakeTrusted(sqltypes.TypeJSON, appendJSON(nil, d))
}

// ordered puts the members in order of a document that evalengine wrote.
func ordered(eval evaluator) evaluator {
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		v, err := eval(row)
		if err != nil || bytes.IndexByte(v.Raw(), '{') < 0 {
			return v, err
		}
		var p json.Parser
		d, err := p.ParseBytes(v.Raw())
		if err != nil {
			return sqltypes.NULL, err
		}
		return jsonText(d), nil
	}
}

// evalDocumentExtract is JSON_EXTRACT: several paths, and one with a wildcard, give an
// array of what they find.
func evalDocumentExtract(c *call) (evaluator, error) {
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		d, err := c.document(0, row[0])
		if err != nil {
			return sqltypes.NULL, err
		}
		var found []*json.Value
		several := len(c.args) > 2
		for _, v := range row[1:len(c.args)] {
			path, err := jsonPath(v)
			if err != nil {
				return sqltypes.NULL, err
			}
			several = several || path.ContainsWildcards()
			match(d, path, func(v *json.Value) { found = append(found, v) })
		}
		switch {
		case len(found) == 0:
			return sqltypes.NULL, nil
		case several:
			return jsonText(json.NewArray(found)), nil
		}
		return jsonText(found[0]), nil
	}), nil
}

// evalKeys is JSON_KEYS.
func evalKeys(c *call) (evaluator, error) {
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		d, err := c.document(0, row[0])
		if err != nil {
			return sqltypes.NULL, err
		}
		if len(c.args) == 2 {
			path, err := jsonPath(row[1])
			switch {
			case err != nil:
				return sqltypes.NULL, err
			case path.ContainsWildcards():
				return sqltypes.NULL, errWildcards
			}
			if d = at(d, path); d == nil {
				return sqltypes.NULL, nil
			}
		}
		o, ok := d.Object()
		if !ok {
			return sqltypes.NULL, nil
		}
		var names []*json.Value
		for _, m := range membersOf(o) {
			names = append(names, json.NewString(m.name))
		}
		return jsonText(json.NewArray(names)), nil
	}), nil
}

// evalUnquote is JSON_UNQUOTE: what has no quotes stays as it is.
func evalUnquote(c *call) (evaluator, error) {
	eval, err := c.bySQL()
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		if raw := row[0].Raw(); len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
			return textValue(raw), nil
		}
		return eval(row)
	}), err
}
