package functions

import (
	"strings"

	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/mysql/collations/colldata"
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

// Weight is what a text is ordered and told apart by under a collation.
func Weight(text string, id collations.ID) []byte {
	c := colldata.Lookup(id)
	if c == nil {
		return []byte(text)
	}
	return c.WeightString(nil, []byte(text), 0)
}

// CheckCount is error 1582 for a wrong number of arguments.
func (f *Function) CheckCount(n int) error {
	if n < f.required() || n > len(f.Args) {
		return sqlErrorf(1582, "42000", "Incorrect parameter count in the call to native function '%s': it is %s", f.Name, f.Signature())
	}
	return nil
}

// WantsTime tells whether an argument is a time.
func (f *Function) WantsTime(i int) bool {
	return i < len(f.Args) && f.Args[i].Type == timeType
}
