package metadata

import (
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// createTable is the statement that would make a relation, in MySQL's grammar.
func createTable(rel *tables.Relation) string {
	var b strings.Builder
	if rel.Schema == InformationSchema {
		b.WriteString("CREATE TEMPORARY TABLE " + name(rel.Name) + " (\n")
	} else {
		b.WriteString("CREATE TABLE " + name(rel.Name) + " (\n")
	}
	for i, typ := range typesOf(rel) {
		c := rel.Columns[i]
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteString("  " + name(c.Name) + " " + typ)
		if collation := columnRow(rel, i, typ)["COLLATION_NAME"]; collation != nil && collation != byBytes {
			b.WriteString(" COLLATE " + collation.(string))
		}
		switch {
		case c.NotNull:
			b.WriteString(" NOT NULL")
		case base(typ) == "timestamp":
			b.WriteString(" NULL DEFAULT NULL")
		case !strings.HasSuffix(base(typ), "text") && !strings.HasSuffix(base(typ), "blob"):
			b.WriteString(" DEFAULT NULL")
		}
		if comment := Comment(c); comment != "" {
			b.WriteString(" COMMENT " + quoted(comment))
		}
	}
	b.WriteString("\n) DEFAULT CHARSET=utf8mb4 COLLATE=" + byBytes)
	if rel.Doc != "" {
		b.WriteString(" COMMENT=" + quoted(rel.Doc))
	}
	return b.String()
}

// createUser is the statement that would make an account, whose password is
// nobody's to see.
func createUser(user string) string {
	return "CREATE USER " + name(user) + "@" + name("%") + " IDENTIFIED WITH 'caching_sha2_password' AS '<secret>' REQUIRE SSL " +
		"PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT PASSWORD REQUIRE CURRENT DEFAULT"
}

// name quotes an identifier.
func name(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// quoted writes a text, as SHOW CREATE TABLE writes comments.
func quoted(s string) string {
	return "'" + strings.NewReplacer("'", "''", `\`, `\\`, "\n", `\n`, "\r", `\r`, "\x00", `\0`).Replace(s) + "'"
}
