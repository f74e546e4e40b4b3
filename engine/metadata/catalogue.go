package metadata

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/tables"
)

// What there is to query: schemas, tables, columns, character sets.

func init() {
	sources["information_schema.schemata"] = known(schemata)
	sources["information_schema.schemata_extensions"] = known(func(s Server) []record {
		rows := schemata(s)
		for _, r := range rows {
			r["OPTIONS"] = ""
			if name := r["SCHEMA_NAME"]; name == tables.Main || name == tables.Ops || name == tables.Hunt {
				r["OPTIONS"] = "READ ONLY=1"
			}
		}
		return rows
	})
	sources["information_schema.tables"] = known(tableRows)
	sources["information_schema.tables_extensions"] = known(tableRows)
	sources["information_schema.views"] = known(viewRows)
	sources["information_schema.columns"] = known(columnRows)
	sources["information_schema.columns_extensions"] = known(columnRows)
	sources["information_schema.partitions"] = known(func(s Server) (out []record) {
		for _, r := range tableRows(s) {
			if r["TABLE_TYPE"] == "BASE TABLE" {
				out = append(out, r)
			}
		}
		return out
	})
	sources["information_schema.character_sets"] = known(characterSets)
	sources["information_schema.collations"] = known(collations)
	sources["information_schema.collation_character_set_applicability"] = known(collations)
	sources["information_schema.keywords"] = known(keywords)
	sources["sys.schema_object_overview"] = known(overview)
}

// overview counts what each schema has.
func overview(s Server) (out []record) {
	for _, rel := range visible(s) {
		typ := tableType(rel)
		i := slices.IndexFunc(out, func(r record) bool { return r["db"] == rel.Schema && r["object_type"] == typ })
		if i < 0 {
			i, out = len(out), append(out, record{"db": rel.Schema, "object_type": typ, "count": 0})
		}
		out[i]["count"] = out[i]["count"].(int) + 1
	}
	return out
}

func schemata(s Server) (out []record) {
	for _, schema := range Schemas {
		if mayEnter(s, schema) {
			out = append(out, record{"CATALOG_NAME": "def", "SCHEMA_NAME": schema, "DEFAULT_CHARACTER_SET_NAME": "utf8mb4",
				"DEFAULT_COLLATION_NAME": byBytes, "DEFAULT_ENCRYPTION": "NO"})
		}
	}
	return out
}

// Engine is the name of what holds the tables.
const Engine = "wiresql"

// tableType is what MySQL calls a relation.
func tableType(rel *tables.Relation) string {
	switch {
	case rel.Schema == InformationSchema:
		return "SYSTEM VIEW"
	case rel.Schema == Sys && byName[key(Sys, rel.Name)].view:
		return "VIEW"
	}
	return "BASE TABLE"
}

func tableRows(s Server) (out []record) {
	for _, rel := range visible(s) {
		r := record{"TABLE_CATALOG": "def", "TABLE_SCHEMA": rel.Schema, "TABLE_NAME": rel.Name, "TABLE_TYPE": tableType(rel),
			"TABLE_COMMENT": rel.Doc, "PARTITION_COMMENT": "", "CREATE_OPTIONS": ""}
		switch r["TABLE_TYPE"] {
		case "VIEW":
			r["TABLE_COMMENT"], r["CREATE_OPTIONS"] = "VIEW", nil
		case "BASE TABLE":
			r["ENGINE"], r["VERSION"], r["TABLE_COLLATION"] = Engine, 10, byBytes
			if rows, bytes, ok := s.Size(rel); ok {
				r["TABLE_ROWS"], r["DATA_LENGTH"], r["INDEX_LENGTH"], r["DATA_FREE"] = rows, bytes, 0, 0
				if rows > 0 {
					r["AVG_ROW_LENGTH"] = bytes / rows
				}
			}
		}
		out = append(out, r)
	}
	return out
}

// viewRows are the views; their definitions are shown to who made them.
func viewRows(s Server) (out []record) {
	for _, rel := range visible(s) {
		if tableType(rel) == "VIEW" {
			out = append(out, record{"TABLE_CATALOG": "def", "TABLE_SCHEMA": rel.Schema, "TABLE_NAME": rel.Name, "VIEW_DEFINITION": "",
				"CHECK_OPTION": "NONE", "IS_UPDATABLE": "NO", "DEFINER": "mysql.sys@localhost", "SECURITY_TYPE": "INVOKER",
				"CHARACTER_SET_CLIENT": "utf8mb4", "COLLATION_CONNECTION": "utf8mb4_0900_ai_ci"})
		}
	}
	return out
}

func columnRows(s Server) (out []record) {
	for _, rel := range visible(s) {
		for i, typ := range typesOf(rel) {
			out = append(out, columnRow(rel, i, typ))
		}
	}
	return out
}

func columnRow(rel *tables.Relation, i int, typ string) record {
	c := rel.Columns[i]
	r := record{"TABLE_CATALOG": "def", "TABLE_SCHEMA": rel.Schema, "TABLE_NAME": rel.Name, "COLUMN_NAME": c.Name,
		"ORDINAL_POSITION": i + 1, "IS_NULLABLE": "YES", "DATA_TYPE": base(typ), "COLUMN_TYPE": typ, "COLUMN_KEY": "",
		"EXTRA": "", "PRIVILEGES": "select", "COLUMN_COMMENT": Comment(c), "GENERATION_EXPRESSION": ""}
	if c.NotNull {
		r["IS_NULLABLE"] = "NO"
	}
	unsigned := strings.HasSuffix(typ, "unsigned")
	switch base(typ) {
	case "tinyint":
		r["NUMERIC_PRECISION"], r["NUMERIC_SCALE"] = 3, 0
	case "smallint":
		r["NUMERIC_PRECISION"], r["NUMERIC_SCALE"] = 5, 0
	case "int":
		r["NUMERIC_PRECISION"], r["NUMERIC_SCALE"] = 10, 0
	case "bigint":
		r["NUMERIC_PRECISION"], r["NUMERIC_SCALE"] = 19, 0
		if unsigned {
			r["NUMERIC_PRECISION"] = 20
		}
	case "float":
		r["NUMERIC_PRECISION"] = 12
	case "double":
		r["NUMERIC_PRECISION"] = 22
	case "decimal":
		var digits, scale int
		fmt.Sscanf(typ, "decimal(%d,%d)", &digits, &scale)
		r["NUMERIC_PRECISION"], r["NUMERIC_SCALE"] = digits, scale
	case "datetime", "timestamp", "time":
		digits := 0
		if _, rest, ok := strings.Cut(typ, "("); ok {
			fmt.Sscanf(rest, "%d", &digits)
		}
		r["DATETIME_PRECISION"] = digits
	case "binary":
		r["CHARACTER_MAXIMUM_LENGTH"], r["CHARACTER_OCTET_LENGTH"] = 0, 0
	case "blob":
		r["CHARACTER_MAXIMUM_LENGTH"], r["CHARACTER_OCTET_LENGTH"] = 1<<16-1, 1<<16-1
	case "mediumblob":
		r["CHARACTER_MAXIMUM_LENGTH"], r["CHARACTER_OCTET_LENGTH"] = 1<<24-1, 1<<24-1
	case "longblob":
		r["CHARACTER_MAXIMUM_LENGTH"], r["CHARACTER_OCTET_LENGTH"] = int64(1<<32-1), int64(1<<32-1)
	case "json":
	case "text", "mediumtext", "longtext":
		n := map[string]int64{"text": 1<<16 - 1, "mediumtext": 1<<24 - 1, "longtext": 1<<32 - 1}[base(typ)]
		r["CHARACTER_MAXIMUM_LENGTH"], r["CHARACTER_OCTET_LENGTH"] = n, n
		r["CHARACTER_SET_NAME"], r["COLLATION_NAME"] = "utf8mb4", collationOf(c)
	default:
		n := length(typ)
		r["CHARACTER_MAXIMUM_LENGTH"], r["CHARACTER_OCTET_LENGTH"] = n, 4*n
		r["CHARACTER_SET_NAME"], r["COLLATION_NAME"] = "utf8mb4", collationOf(c)
	}
	return r
}

// Comment is a column's documentation as clients show it.
func Comment(c tables.Column) string {
	s := c.Doc
	if c.Unit != "" {
		s += " [" + c.Unit + "]"
	}
	if c.Source != "" {
		s += " (" + c.Source + ")"
	}
	return s
}

func characterSets(Server) (out []record) {
	for sets, more := sql.NewCharacterSetsIterator(), true; more; {
		var set sql.CharacterSet
		if set, more = sets.Next(); more {
			out = append(out, record{"CHARACTER_SET_NAME": set.Name, "DEFAULT_COLLATE_NAME": set.DefaultCollation.Name(),
				"DESCRIPTION": set.Description, "MAXLEN": int(set.MaxLength)})
		}
	}
	slices.SortFunc(out, func(a, b record) int {
		return strings.Compare(a["CHARACTER_SET_NAME"].(string), b["CHARACTER_SET_NAME"].(string))
	})
	return out
}

func collations(Server) (out []record) {
	yes := map[bool]string{true: "Yes"}
	for list, more := sql.NewCollationsIterator(), true; more; {
		var c sql.Collation
		if c, more = list.Next(); more {
			out = append(out, record{"COLLATION_NAME": c.Name, "CHARACTER_SET_NAME": c.CharacterSet.Name(), "ID": int(c.ID),
				"IS_DEFAULT": yes[c.IsDefault], "IS_COMPILED": yes[c.IsCompiled], "SORTLEN": int(c.SortLength), "PAD_ATTRIBUTE": c.PadAttribute})
		}
	}
	slices.SortFunc(out, func(a, b record) int {
		return strings.Compare(a["COLLATION_NAME"].(string), b["COLLATION_NAME"].(string))
	})
	return out
}

func keywords(Server) (out []record) {
	for _, word := range tables.Reserved() {
		out = append(out, record{"WORD": strings.ToUpper(word), "RESERVED": 1})
	}
	return out
}
