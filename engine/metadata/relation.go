package metadata

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// The schemas whose relations are described here.
const (
	InformationSchema = "information_schema"
	Performance       = "performance_schema"
	System            = "mysql"
	Sys               = "sys"
	// shown is the schema of what SHOW alone reads. It is listed nowhere.
	shown = "show"
)

// Schemas lists all schemas there are, sorted.
var Schemas = []string{tables.Hunt, InformationSchema, System, tables.Ops, Performance, Sys, tables.Main}

// HasSchema tells whether there is a schema of that name, in any case.
func HasSchema(name string) bool { return slices.Contains(Schemas, strings.ToLower(name)) }

// Describes tells whether a schema's relations are about the server. The name is
// in lower case.
func Describes(schema string) bool {
	return schema == InformationSchema || schema == Performance || schema == System || schema == Sys || schema == shown
}

//go:embed definitions.txt
var definitions string

// definition is a relation with the types that MySQL declares.
type definition struct {
	*tables.Relation
	types []string
	view  bool
	twin  bool // there is another one of numbers
}

var (
	defined = parseDefinitions(definitions)
	byName  = func() map[string]definition {
		out := make(map[string]definition, len(defined))
		for _, d := range defined {
			out[key(d.Schema, d.Name)] = d
		}
		return out
	}()
)

func key(schema, name string) string { return schema + "." + strings.ToLower(name) }

// Lookup finds a relation by its schema, in lower case, and its name, in any; nil
// when there is none.
func Lookup(schema, name string) *tables.Relation { return byName[key(schema, name)].Relation }

// parseDefinitions reads definitions.txt. A mistake in it is a bug.
func parseDefinitions(text string) []definition {
	var out []definition
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == ' ':
			last := &out[len(out)-1]
			for _, column := range splitColumns(line) {
				last.add(column)
			}
		default:
			name, like, _ := strings.Cut(line, " like ")
			schema, table, ok := strings.Cut(strings.TrimLeft(name, "+"), ".")
			if !ok {
				panic("definitions.txt: " + line)
			}
			d := definition{Relation: &tables.Relation{Schema: schema, Name: table}, view: name[0] == '+', twin: strings.HasPrefix(name, "++")}
			if like != "" {
				i := slices.IndexFunc(out, func(o definition) bool { return o.Schema+"."+o.Name == like })
				d.Columns, d.types, d.view = out[i].Columns, out[i].types, out[i].view
			}
			out = append(out, d)
		}
	}
	for _, d := range out {
		if !d.twin {
			continue
		}
		other := definition{Relation: &tables.Relation{Schema: d.Schema, Name: "x$" + d.Name}, view: true}
		for i, c := range d.Columns {
			typ := d.types[i]
			if typ == shownNumber {
				typ = "bigint unsigned"
			}
			other.add(c.Name + " " + typ)
		}
		out = append(out, other)
	}
	return out
}

// shownNumber is the type of a time or a size that is written for people.
const shownNumber = "varchar(11)"

// splitColumns cuts at the commas that are in no parentheses.
func splitColumns(line string) (out []string) {
	depth, from := 0, 0
	for i, r := range line {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, line[from:i])
				from = i + 1
			}
		}
	}
	if rest := line[from:]; strings.TrimSpace(rest) != "" {
		out = append(out, rest)
	}
	return out
}

func (d *definition) add(column string) {
	name, typ, ok := strings.Cut(strings.TrimSpace(column), " ")
	if !ok {
		panic("definitions.txt: " + column)
	}
	c := tables.Column{Name: name, Size: length(typ), Titled: d.view}
	switch base(typ) {
	case "bigint":
		c.Kind = tables.BigInt
	case "int":
		c.Kind = tables.Int
		if strings.HasSuffix(typ, "unsigned") {
			c.Kind = tables.BigInt
		}
	case "smallint", "tinyint":
		c.Kind = tables.Int
	case "double", "float", "decimal":
		c.Kind = tables.Double
	case "datetime", "timestamp":
		c.Kind = tables.Timestamp
	case "blob", "mediumblob", "longblob", "binary":
		c.Kind = tables.Bytes
	default:
		// What can be told apart by case alone never stands here.
		c.Kind, c.NoCase, c.Loose = tables.Text, true, true
	}
	d.Columns, d.types = append(d.Columns, c), append(d.types, typ)
}

// base is the word a type begins with.
func base(typ string) string {
	if i := strings.IndexAny(typ, " ("); i >= 0 {
		return typ[:i]
	}
	return typ
}

// length is the longest text of a type, in characters.
func length(typ string) int {
	switch base(typ) {
	case "varchar", "char":
		n := 0
		fmt.Sscanf(typ[strings.Index(typ, "(")+1:], "%d", &n)
		return n
	case "enum", "set":
		return 64
	case "time":
		return 17
	case "text", "json":
		return 65535
	case "mediumtext":
		return 1<<24 - 1
	case "longtext":
		return 1<<31 - 1
	}
	return 0
}

// typesOf are the declared types of a relation's columns.
func typesOf(rel *tables.Relation) []string {
	if d, ok := byName[key(rel.Schema, rel.Name)]; ok && d.Relation == rel {
		return d.types
	}
	out := make([]string, len(rel.Columns))
	for i, c := range rel.Columns {
		out[i] = declared(c)
	}
	return out
}

// declared is the type of a column of the archive's.
func declared(c tables.Column) string {
	t := c.Kind.Type()
	if t.MySQL != "VARCHAR" {
		return strings.ToLower(t.MySQL)
	}
	size := t.Size
	if size == 0 {
		size = c.Size
	}
	if size == 0 {
		size = 255
	}
	// All columns of a row but those have 65,535 bytes together.
	if size*4 > 65535/2 {
		return "text"
	}
	return fmt.Sprintf("varchar(%d)", size)
}

// The collations of texts: of names and of columns with few values, and of the
// others.
var (
	caseBlind = functions.CollationName(functions.NoCase)
	byBytes   = functions.CollationName(functions.Bin)
)

// collationOf is the collation of a column of texts.
func collationOf(c tables.Column) string {
	if c.NoCase || c.Kind == tables.HostName {
		return caseBlind
	}
	return byBytes
}
