package metadata

import (
	"fmt"
	"strings"
)

// Rights, as far as they are the session's own.

func init() {
	sources["information_schema.user_privileges"] = known(func(s Server) []record {
		return []record{{"GRANTEE": grantee(s), "TABLE_CATALOG": "def", "PRIVILEGE_TYPE": "PROCESS", "IS_GRANTABLE": "NO"}}
	})
	sources["information_schema.schema_privileges"] = known(func(s Server) []record { return granted(s, true) })
	sources["information_schema.table_privileges"] = known(func(s Server) []record { return granted(s, false) })
	sources["information_schema.user_attributes"] = known(func(s Server) []record {
		user, _ := s.User()
		return []record{{"USER": user, "HOST": "%"}}
	})
	sources["mysql.user"] = known(func(s Server) []record {
		user, _ := s.User()
		r := record{"Host": "%", "User": user, "ssl_type": "ANY", "max_questions": 0, "max_updates": 0, "max_connections": 0,
			"max_user_connections": 0, "plugin": "caching_sha2_password", "authentication_string": "", "password_expired": "N", "account_locked": "N"}
		return []record{no(r, "mysql", "user", "Process_priv")}
	})
	sources["mysql.db"] = known(func(s Server) (out []record) {
		user, _ := s.User()
		for _, g := range s.Grants() {
			if g.Table == "*" && g.Schema != "*" {
				out = append(out, no(record{"Host": "%", "Db": g.Schema, "User": user}, "mysql", "db", "Select_priv"))
			}
		}
		return out
	})
	sources["mysql.tables_priv"] = known(func(s Server) (out []record) {
		user, _ := s.User()
		for _, g := range s.Grants() {
			if g.Table != "*" {
				out = append(out, record{"Host": "%", "Db": g.Schema, "User": user, "Table_name": g.Table, "Grantor": "", "Table_priv": "Select", "Column_priv": ""})
			}
		}
		return out
	})
	sources["show.grants"] = known(func(s Server) (out []record) {
		user, _ := s.User()
		to := " TO " + name(user) + "@" + name("%")
		out = append(out, record{"Grants": "GRANT PROCESS ON *.*" + to})
		for _, g := range s.Grants() {
			on := g.Schema + "." + g.Table
			if g.Schema != "*" {
				on = name(g.Schema) + "."
				if g.Table == "*" {
					on += "*"
				} else {
					on += name(g.Table)
				}
			}
			out = append(out, record{"Grants": "GRANT SELECT ON " + on + to})
		}
		return out
	})
}

// no fills the rights that a row does not give with N.
func no(r record, schema, table string, given ...string) record {
	for _, c := range Lookup(schema, table).Columns {
		if strings.HasSuffix(c.Name, "_priv") {
			r[c.Name] = "N"
		}
	}
	for _, right := range given {
		r[right] = "Y"
	}
	return r
}

func grantee(s Server) string {
	user, _ := s.User()
	return fmt.Sprintf("'%s'@'%%'", strings.ReplaceAll(user, "'", "''"))
}

// granted are the rights to whole schemas, or to tables.
func granted(s Server, whole bool) (out []record) {
	for _, g := range s.Grants() {
		if g.Schema != "*" && (g.Table == "*") == whole {
			out = append(out, record{"GRANTEE": grantee(s), "TABLE_CATALOG": "def", "TABLE_SCHEMA": g.Schema, "TABLE_NAME": g.Table,
				"PRIVILEGE_TYPE": "SELECT", "IS_GRANTABLE": "NO"})
		}
	}
	return out
}
