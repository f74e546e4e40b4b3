package functions

import (
	"strings"

	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/mysql/collations/colldata"
	"vitess.io/vitess/go/sqltypes"
)

// Version is the MySQL whose grammar and semantics statements have.
const Version = "8.0.40"

var collationEnv = collations.NewEnvironment(Version)

// CollationNamed finds a collation of utf8mb4, or binary, by its name.
func CollationNamed(name string) (collations.ID, bool) {
	id := collationEnv.LookupByName(name)
	return id, id != collations.Unknown && colldata.Lookup(id) != nil
}

// CollationName is the name of a collation.
func CollationName(id collations.ID) string { return collationEnv.LookupName(id) }

// CharsetOf is the character set of a collation.
func CharsetOf(id collations.ID) string { return collationEnv.LookupCharsetName(id) }

// ComparesBytes tells whether a collation tells texts apart by their bytes.
func ComparesBytes(id collations.ID) bool {
	name := collationEnv.LookupName(id)
	return strings.HasSuffix(name, "_bin") || name == "binary"
}

// PaddedBin is utf8mb4_bin: bytes, but for spaces at the end.
const PaddedBin collations.ID = 46

// Pads tells whether spaces at the end of a text do not count in comparisons:
// all collations that are older than those of Unicode 9 (manual 12.10.1).
func Pads(id collations.ID) bool {
	name := collationEnv.LookupName(id)
	return id != collations.Unknown && name != "binary" && !strings.Contains(name, "_0900_")
}

// Padded is a text as a collation that pads compares it: with one space at its
// end, which is where a longer text goes on.
func Padded(text string, id collations.ID) string {
	if !Pads(id) {
		return text
	}
	return strings.TrimRight(text, " ") + " "
}

// Weight is what a text is ordered and told apart by under a collation.
func Weight(text string, id collations.ID) []byte {
	text = Padded(text, id)
	c := colldata.Lookup(id)
	if c == nil {
		return []byte(text)
	}
	return c.WeightString(nil, []byte(text), 0)
}

// collate compares two texts.
func collate(a, b []byte, id collations.ID) int {
	if Pads(id) {
		a, b = []byte(Padded(string(a), id)), []byte(Padded(string(b), id))
	}
	return colldata.Lookup(unicodeCollation(id)).Collate(a, b, false)
}

// evalStrcmp compares two texts under their collation.
func evalStrcmp(c *call) (evaluator, error) {
	id, _, err := c.mixed(c.args)
	if err != nil || !Pads(id) {
		return c.bySQL()
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		n := collate(row[0].Raw(), row[1].Raw(), id)
		return sqltypes.NewInt64(int64(min(1, max(-1, n)))), nil
	}), nil
}

// CheckCount is error 1582 for a wrong number of arguments.
func (f *Function) CheckCount(n int) error {
	if !f.takes(n) {
		return Errorf(1582, "Incorrect parameter count in the call to native function '%s': it is %s", f.Name, f.Signature())
	}
	return nil
}

// WantsTime tells whether an argument is a time.
func (f *Function) WantsTime(i int) bool {
	return f.arg(i).Type == timeType
}
