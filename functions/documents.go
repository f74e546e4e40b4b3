package functions

import (
	"cmp"
	stdjson "encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"vitess.io/vitess/go/mysql/json"
	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// documents are the JSON functions (manual 12.17).
var documents = []builtin{
	{name: "json_array", args: "a, …", typed: of(Type{Kind: JSON}).never(), eval: evalArray, doc: "An array of the values."},
	{name: "json_array_append", args: "document, path, value, …", typed: jsonResult, eval: evalModify, doc: "The document with values behind the arrays at the paths."},
	{name: "json_array_insert", args: "document, path, value, …", typed: jsonResult, eval: evalModify, doc: "The document with values before the elements at the paths."},
	{name: "json_contains", args: "document, candidate[, path]", typed: maybeInt, eval: evalContains, doc: "Whether the document has the candidate in it."},
	{name: "json_contains_path", args: "document, one_or_all, path, …", typed: maybeInt, doc: "Whether paths exist."},
	{name: "json_depth", args: "document", typed: maybeInt, eval: evalAttribute, doc: "How deep it is."},
	{name: "json_extract", args: "document, path, …", typed: jsonResult, eval: evalDocumentExtract, doc: "What is at the path; also document->path."},
	{name: "json_insert", args: "document, path, value, …", typed: jsonResult, eval: evalModify, doc: "The document with values where there is none."},
	{name: "json_keys", args: "document[, path]", typed: jsonResult, eval: evalKeys, doc: "The keys of an object."},
	{name: "json_length", args: "document[, path]", typed: maybeInt, eval: evalAttribute, doc: "The number of elements."},
	{name: "json_merge_patch", args: "document, document, …", typed: jsonResult, eval: evalMerge, doc: "The documents merged, the last winning."},
	{name: "json_merge_preserve", args: "document, document, …", typed: jsonResult, eval: evalMerge, doc: "The documents merged, arrays of what both have."},
	{name: "json_object", args: "key, value, …", typed: of(Type{Kind: JSON}).never(), eval: evalObject, doc: "An object of keys and values."},
	{name: "json_overlaps", args: "document, document", typed: maybeInt, eval: evalOverlaps, doc: "Whether both have an element in common."},
	{name: "json_pretty", args: "document", typed: plainText(0), eval: evalPretty, doc: "The document with a line for each element."},
	{name: "json_quote", args: "text", typed: plainText(0), eval: evalJSONQuote, doc: "The text as a JSON string."},
	{name: "json_remove", args: "document, path, …", typed: jsonResult, doc: "The document without what is at the paths."},
	{name: "json_replace", args: "document, path, value, …", typed: jsonResult, eval: evalModify, doc: "The document with values where there are some."},
	{name: "json_search", args: "document, one_or_all, text[, escape[, path, …]]", typed: jsonResult, eval: evalSearch, doc: "The paths of texts that are LIKE one."},
	{name: "json_set", args: "document, path, value, …", typed: jsonResult, eval: evalModify, doc: "The document with values at the paths."},
	{name: "json_type", args: "value", typed: plainText(51), eval: evalAttribute, doc: "The name of its type."},
	{name: "json_unquote", args: "value", typed: of(Type{Kind: Text, Collation: Bin, Coercibility: 2, Nullable: true}), eval: evalUnquote, doc: "A JSON text as text; also document->>path."},
	{name: "json_valid", args: "text", typed: maybeInt, eval: evalAttribute, doc: "Whether the text is JSON."},
	{name: "json_value", args: "document, path [RETURNING type] [… ON EMPTY] [… ON ERROR]", typed: valueType, eval: evalJSONValue, doc: "The scalar at the path as a text, or as the type."},
	{name: "member of", args: "value, array", typed: maybeInt, eval: evalContains, doc: "value MEMBER OF(array): whether it is an element."},
}

// documentName is nameOf for JSON functions.
func documentName(node sqlparser.Expr) string {
	switch n := node.(type) {
	case *sqlparser.JSONArrayExpr:
		return "json_array"
	case *sqlparser.JSONObjectExpr:
		return "json_object"
	case *sqlparser.JSONContainsExpr:
		return "json_contains"
	case *sqlparser.JSONContainsPathExpr:
		return "json_contains_path"
	case *sqlparser.JSONExtractExpr:
		return "json_extract"
	case *sqlparser.JSONKeysExpr:
		return "json_keys"
	case *sqlparser.JSONRemoveExpr:
		return "json_remove"
	case *sqlparser.JSONUnquoteExpr:
		return "json_unquote"
	case *sqlparser.JSONQuoteExpr:
		return "json_quote"
	case *sqlparser.JSONOverlapsExpr:
		return "json_overlaps"
	case *sqlparser.MemberOfExpr:
		return "member of"
	case *sqlparser.JSONAttributesExpr:
		return n.Type.ToString()
	case *sqlparser.JSONValueModifierExpr:
		return n.Type.ToString()
	case *sqlparser.JSONValueMergeExpr:
		if n.Type == sqlparser.JSONMergeType {
			return "json_merge_preserve"
		}
		return n.Type.ToString()
	}
	if text := strings.ToLower(sqlparser.String(node)); strings.HasPrefix(text, "json_") {
		name, _, _ := strings.Cut(text, "(")
		return name
	}
	return ""
}

// document reads an argument as JSON; error 3141 or 3146 tells why it is none.
func (c *call) document(i int, v sqltypes.Value) (*json.Value, error) {
	if k := c.args[i].Type.Kind; !k.Textual() {
		return nil, Errorf(3146, "Invalid data type for JSON data in argument %d to function %s; a JSON string or JSON type is required.", i+1, c.name)
	}
	var p json.Parser
	d, err := p.Parse(v.ToString())
	if err != nil {
		return nil, c.invalidJSON(i, v.ToString())
	}
	return d, nil
}

// A document takes some hundred times the memory of its text while a function
// reads it, and nothing ends that: large ones are read one after the other, by
// whichever statement, also by those that have ended meanwhile.
var largeDocument = make(chan struct{}, 1)

// inTurn waits for the turn of large texts.
func (c *call) inTurn(eval evaluator) evaluator {
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		size := 0
		for _, v := range row {
			size += v.Len()
		}
		if size < 64<<10 {
			return eval(row)
		}
		k := &steps{s: c.s}
		for !k.over(1 << 20) {
			select {
			case largeDocument <- struct{}{}:
				defer func() { <-largeDocument }()
				return eval(row)
			case <-time.After(20 * time.Millisecond): // and see whether it has ended
			}
		}
		return sqltypes.NULL, k.err
	}
}

// invalidJSON is error 3141 of a text that is no document, as MySQL words it.
func (c *call) invalidJSON(i int, text string) error {
	reason, at := "The document is empty.", 0
	if strings.TrimSpace(text) != "" {
		var syntax *stdjson.SyntaxError
		reason = "Invalid value."
		if errors.As(stdjson.Unmarshal([]byte(text), new(any)), &syntax) {
			at = max(0, int(syntax.Offset)-1)
		}
	}
	return Errorf(3141, "Invalid JSON text in argument %d to function %s: \"%s\" at position %d.", i+1, c.name, reason, at)
}

// element reads an argument as a value to put into a document.
func (c *call) element(i int, v sqltypes.Value) (*json.Value, error) {
	if v.IsNull() {
		return json.ValueNull, nil
	}
	switch c.args[i].Type.Kind {
	case JSON:
		return c.document(i, v)
	case Bool:
		if c.args[i].Type.Bits == 8 { // a column, which is TINYINT(1)
			return json.NewNumber(v.ToString(), json.NumberTypeSigned), nil
		}
		if v.ToString() == "0" {
			return json.ValueFalse, nil
		}
		return json.ValueTrue, nil
	case Integer:
		return json.NewNumber(v.ToString(), json.NumberTypeSigned), nil
	case Unsigned:
		return json.NewNumber(v.ToString(), json.NumberTypeUnsigned), nil
	case Decimal:
		return json.NewNumber(v.ToString(), json.NumberTypeDecimal), nil
	case Double:
		return json.NewNumber(v.ToString(), json.NumberTypeFloat), nil
	case Time, Clock: // whatever they show (manual 14.17.2)
		return json.NewString(string(fitFraction(v.Raw(), 6))), nil
	case Bytes:
		return json.NewBlob(v.ToString()), nil
	}
	return json.NewString(v.ToString()), nil
}

func jsonPath(v sqltypes.Value) (*json.Path, error) {
	var p json.PathParser
	path, err := p.ParseBytes(v.Raw())
	if err != nil {
		return nil, Errorf(3143, "Invalid JSON path expression: %v", err)
	}
	return path, nil
}

// at is the first value at a path, or nil.
func at(d *json.Value, path *json.Path) *json.Value {
	var found *json.Value
	match(d, path, func(v *json.Value) {
		if found == nil {
			found = v
		}
	})
	return found
}

// evalAttribute is JSON_DEPTH, LENGTH, TYPE and VALID.
func evalAttribute(c *call) (evaluator, error) {
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		if c.name == "json_valid" {
			_, err := c.document(0, row[0])
			return boolValue(err == nil), nil
		}
		d, err := c.document(0, row[0])
		if err != nil {
			return sqltypes.NULL, err
		}
		if len(c.args) == 2 {
			path, err := jsonPath(row[1])
			if err != nil {
				return sqltypes.NULL, err
			}
			if d = at(d, path); d == nil {
				return sqltypes.NULL, nil
			}
		}
		switch c.name {
		case "json_depth":
			return intValue(int64(d.Depth())), nil
		case "json_length":
			return intValue(int64(d.Len())), nil
		}
		return textValue([]byte(jsonTypeName(d))), nil
	}), nil
}

func jsonTypeName(d *json.Value) string {
	if d.Type() != json.TypeNumber {
		return strings.ToUpper(d.Type().String())
	}
	switch d.NumberType() {
	case json.NumberTypeUnsigned:
		return "UNSIGNED INTEGER"
	case json.NumberTypeDecimal:
		return "DECIMAL"
	case json.NumberTypeFloat:
		return "DOUBLE"
	}
	return "INTEGER"
}

func evalArray(c *call) (evaluator, error) {
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		list := make([]*json.Value, len(c.args))
		for i := range list {
			var err error
			if list[i], err = c.element(i, row[i]); err != nil {
				return sqltypes.NULL, err
			}
		}
		return jsonText(json.NewArray(list)), nil
	}, nil
}

func evalObject(c *call) (evaluator, error) {
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		d := json.NewObject(json.Object{})
		object, _ := d.Object()
		for i := 0; i+1 < len(c.args); i += 2 {
			if row[i].IsNull() {
				return sqltypes.NULL, Errorf(3158, "JSON documents may not contain NULL member names.")
			}
			v, err := c.element(i+1, row[i+1])
			if err != nil {
				return sqltypes.NULL, err
			}
			object.Set(row[i].ToString(), v, json.Set)
		}
		return jsonText(d), nil
	}, nil
}

// Joined finishes the text of JSON_ARRAYAGG or JSON_OBJECTAGG: members stand in
// the order of their names, of those with one name the last. A document longer
// than a packet is NULL with warning 1301.
func Joined(name string, s *Session) *Prepared {
	t := Type{Kind: JSON, Nullable: true}
	c := &call{builtin: &builtin{}, name: name, s: s, result: t}
	return &Prepared{Type: t, Eval: func(row []sqltypes.Value) (sqltypes.Value, error) {
		text := row[0].Raw()
		switch {
		case row[0].IsNull():
			return sqltypes.NULL, nil
		case len(text) > s.TextLimit():
			return c.tooLong()
		case name == "json_objectagg":
			members := map[string]stdjson.RawMessage{} // which keeps the digits of numbers
			if err := stdjson.Unmarshal(text, &members); err != nil {
				return sqltypes.NULL, Errorf(3141, "Invalid JSON text in %s: %v", name, err)
			}
			text = []byte{'{'}
			for i, key := range slices.SortedFunc(maps.Keys(members), compareNames) {
				if i > 0 {
					text = append(text, ", "...)
				}
				text = append(append(json.NewString(key).MarshalTo(text), ": "...), members[key]...)
			}
			text = append(text, '}')
		}
		return sqltypes.MakeTrusted(sqltypes.TypeJSON, text), nil
	}}
}

var errWildcards = Errorf(3149, "In this situation, path expressions may not contain the * and ** tokens or an array range.")

// evalModify is JSON_SET, INSERT, REPLACE, ARRAY_APPEND and ARRAY_INSERT: NULL
// where the document or a path is.
func evalModify(c *call) (evaluator, error) {
	if len(c.args)%2 == 0 {
		return nil, Errorf(1582, "Incorrect parameter count in the call to native function '%s'", c.name)
	}
	how := map[string]json.Transformation{"json_insert": json.Insert, "json_replace": json.Replace, "json_set": json.Set, "json_array_append": json.Replace}[c.name]
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		if row[0].IsNull() {
			return sqltypes.NULL, nil
		}
		d, err := c.document(0, row[0])
		if err != nil {
			return sqltypes.NULL, err
		}
		for i := 1; i+1 < len(c.args); i += 2 {
			if row[i].IsNull() {
				return sqltypes.NULL, nil
			}
			path, err := jsonPath(row[i])
			if err != nil {
				return sqltypes.NULL, err
			}
			if path.ContainsWildcards() {
				return sqltypes.NULL, errWildcards
			}
			value, err := c.element(i+1, row[i+1])
			if err != nil {
				return sqltypes.NULL, err
			}
			if c.name == "json_array_insert" {
				if d, err = insertElement(d, path, value); err != nil {
					return sqltypes.NULL, err
				}
				continue
			}
			if c.name == "json_array_append" {
				old := at(d, path)
				if old == nil {
					continue
				}
				value = json.NewArray(append(elements(old), value))
			}
			if path.IsRootPath() {
				if c.name != "json_insert" {
					d = value
				}
				continue
			}
			if err := json.ApplyTransform(how, d, []*json.Path{path}, []*json.Value{value}); err != nil {
				return sqltypes.NULL, err
			}
		}
		return jsonText(d), nil
	}, nil
}

// elements are those of an array, or the value as the only one.
func elements(d *json.Value) []*json.Value {
	if a, ok := d.Array(); ok {
		return append([]*json.Value(nil), a...)
	}
	return []*json.Value{d}
}

func evalMerge(c *call) (evaluator, error) {
	merge := mergePreserve
	if c.name == "json_merge_patch" {
		merge = mergePatch
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		var out *json.Value
		for i := range c.args {
			d, err := c.document(i, row[i])
			if err != nil {
				return sqltypes.NULL, err
			}
			if out == nil {
				out = d
				continue
			}
			out = merge(out, d)
		}
		return jsonText(out), nil
	}), nil
}

// mergePatch is RFC 7396.
func mergePatch(a, b *json.Value) *json.Value {
	patch, ok := b.Object()
	if !ok {
		return b
	}
	target, ok := a.Object()
	if !ok {
		a = json.NewObject(json.Object{})
		target, _ = a.Object()
	}
	patch.Visit(func(key string, v *json.Value) {
		if v.Type() == json.TypeNull {
			target.Del(key)
			return
		}
		old := target.Get(key)
		if old == nil {
			old = json.ValueNull
		}
		target.Set(key, mergePatch(old, v), json.Set)
	})
	return a
}

func mergePreserve(a, b *json.Value) *json.Value {
	x, okX := a.Object()
	y, okY := b.Object()
	if !okX || !okY {
		return json.NewArray(append(elements(a), elements(b)...))
	}
	y.Visit(func(key string, v *json.Value) {
		if old := x.Get(key); old != nil {
			v = mergePreserve(old, v)
		}
		x.Set(key, v, json.Set)
	})
	return a
}

func evalJSONQuote(c *call) (evaluator, error) {
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		if !c.args[0].Type.Kind.Textual() {
			return sqltypes.NULL, Errorf(3064, "Incorrect type for argument 1 in function json_quote.")
		}
		return textValue(json.NewString(row[0].ToString()).MarshalTo(nil)), nil
	}), nil
}

// evalContains is JSON_CONTAINS and MEMBER OF.
func evalContains(c *call) (evaluator, error) {
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		if c.name == "member of" {
			value, err := c.element(0, row[0])
			if err != nil {
				return sqltypes.NULL, err
			}
			list, err := c.document(1, row[1])
			if err != nil {
				return sqltypes.NULL, err
			}
			for _, e := range elements(list) {
				if sameJSON(e, value) {
					return one, nil
				}
			}
			return zero, nil
		}
		d, err := c.document(0, row[0])
		if err != nil {
			return sqltypes.NULL, err
		}
		candidate, err := c.document(1, row[1])
		if err != nil {
			return sqltypes.NULL, err
		}
		if len(c.args) == 3 {
			path, err := jsonPath(row[2])
			if err != nil {
				return sqltypes.NULL, err
			}
			if d = at(d, path); d == nil {
				return sqltypes.NULL, nil
			}
		}
		k := &steps{s: c.s}
		found := containsJSON(d, candidate, k)
		return boolValue(found), k.err
	}), nil
}

// containsJSON follows the manual's definition: an array contains what an
// element contains, an object one whose keys it has with values it contains.
func containsJSON(d, candidate *json.Value, k *steps) bool {
	if k.over(0) {
		return false
	}
	if list, ok := d.Array(); ok {
		var scalars map[string]bool
		for _, want := range elements(candidate) {
			if t := want.Type(); t == json.TypeArray || t == json.TypeObject {
				if !slices.ContainsFunc(list, func(e *json.Value) bool { return k.err == nil && containsJSON(e, want, k) }) {
					return false
				}
				continue
			}
			if scalars == nil {
				scalars = map[string]bool{}
				addScalars(scalars, list, k)
			}
			if k.over(0) || !scalars[jsonKey(want)] {
				return false
			}
		}
		return true
	}
	x, okX := d.Object()
	y, okY := candidate.Object()
	if okX && okY {
		all := true
		y.Visit(func(key string, v *json.Value) {
			have := x.Get(key)
			all = all && have != nil && containsJSON(have, v, k)
		})
		return all
	}
	return sameJSON(d, candidate)
}

func evalOverlaps(c *call) (evaluator, error) {
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		a, err := c.document(0, row[0])
		if err != nil {
			return sqltypes.NULL, err
		}
		b, err := c.document(1, row[1])
		if err != nil {
			return sqltypes.NULL, err
		}
		x, okX := a.Object()
		y, okY := b.Object()
		if okX && okY {
			some := false
			x.Visit(func(key string, v *json.Value) {
				other := y.Get(key)
				some = some || other != nil && sameJSON(v, other)
			})
			return boolValue(some), nil
		}
		k, there := &steps{s: c.s}, map[string]bool{}
		for _, e := range elements(b) {
			if there[jsonKey(e)] = true; k.over(0) {
				return zero, k.err
			}
		}
		for _, e := range elements(a) {
			if there[jsonKey(e)] || k.over(0) {
				return boolValue(k.err == nil), k.err
			}
		}
		return zero, nil
	}), nil
}

// addScalars adds the keys of what is in a list, and in lists in it.
func addScalars(to map[string]bool, list []*json.Value, k *steps) {
	for _, e := range list {
		if inner, ok := e.Array(); ok {
			addScalars(to, inner, k)
		} else if e.Type() != json.TypeObject {
			to[jsonKey(e)] = true
		}
		if k.over(0) {
			return
		}
	}
}

func sameJSON(a, b *json.Value) bool { return jsonKey(a) == jsonKey(b) }

// jsonKey is what two values have in common that are equal: of numbers their
// digits and the place of the last one, of all else the text.
func jsonKey(v *json.Value) string {
	if v.Type() != json.TypeNumber {
		return string(v.MarshalTo(nil))
	}
	raw := v.Raw()
	digits, power := raw, ""
	if i := strings.IndexAny(raw, "eE"); i >= 0 {
		digits, power = raw[:i], raw[i+1:]
	}
	place, err := strconv.Atoi(cmp.Or(power, "0"))
	if err != nil {
		return raw // nobody writes such a number two ways
	}
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	all := strings.TrimLeft(whole+fraction, "0")
	short := strings.TrimRight(all, "0")
	if short == "" {
		return "0"
	}
	return sign + short + "e" + strconv.Itoa(place-len(fraction)+len(all)-len(short))
}
