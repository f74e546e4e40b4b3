package metadata

import (
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// Statements that change something, in MySQL's order of them (manual, chapter
// 15). Nothing can be changed here: 1290 says so. What is about the server
// itself takes a right that no account has, and its error names the right.

func init() {
	for _, word := range strings.Fields("ALTER CREATE DROP RENAME TRUNCATE DELETE IMPORT INSERT LOAD REPLACE UPDATE GRANT REVOKE CACHE") {
		readers[word] = change
	}
	needs := func(right string) func(*reader, Server) error {
		return func(*reader, Server) error { return denied(right) }
	}
	onTable := func(command, table string) func(*reader, Server) error {
		return func(_ *reader, s Server) error {
			user, host := s.User()
			return mistake(1142, "%s command denied to user '%s'@'%s' for table '%s'", command, user, host, table)
		}
	}
	replication := needs("SUPER or REPLICATION_SLAVE_ADMIN")
	groups := needs("SUPER or GROUP_REPLICATION_ADMIN")
	for first, refusals := range map[string][]refusal{
		"CALL":      {{"", unknownProcedure}},
		"PURGE":     {{"BINARY LOGS", needs("SUPER or BINLOG_ADMIN")}, {"MASTER LOGS", needs("SUPER or BINLOG_ADMIN")}},
		"CHANGE":    {{"MASTER", replication}, {"REPLICATION", replication}},
		"START":     {{"REPLICA", replication}, {"SLAVE", replication}, {"GROUP_REPLICATION", groups}},
		"STOP":      {{"REPLICA", replication}, {"SLAVE", replication}, {"GROUP_REPLICATION", groups}},
		"INSTALL":   {{"PLUGIN", onTable("INSERT", "plugin")}, {"COMPONENT", onTable("INSERT", "component")}},
		"UNINSTALL": {{"PLUGIN", onTable("DELETE", "plugin")}, {"COMPONENT", onTable("DELETE", "component")}},
		"CLONE":     {{"LOCAL", needs("BACKUP_ADMIN")}, {"INSTANCE", needs("CLONE_ADMIN")}},
		"BINLOG":    {{"", needs("SUPER or REPLICATION_APPLIER")}},
		"RESET":     {{"PERSIST", needs("SYSTEM_VARIABLES_ADMIN")}, {"", needs("RELOAD")}},
		"FLUSH":     {{"", needs("RELOAD or FLUSH_TABLES")}},
		"SHUTDOWN":  {{"", needs("SHUTDOWN")}},
		"RESTART":   {{"", needs("SHUTDOWN")}},
		"HANDLER": {{"", func(*reader, Server) error {
			return mistake(1031, "Table storage engine for '%s' doesn't have this option", Engine)
		}}},
		"SIGNAL":   {{"SQLSTATE", unsupported("SIGNAL")}},
		"RESIGNAL": {{"", func(*reader, Server) error { return mistake(1645, "RESIGNAL when handler not active") }}},
		"GET": {{"STACKED DIAGNOSTICS", func(*reader, Server) error {
			return mistake(1887, "GET STACKED DIAGNOSTICS when handler not active")
		}}, {"CURRENT DIAGNOSTICS", unsupported("GET DIAGNOSTICS")}, {"DIAGNOSTICS", unsupported("GET DIAGNOSTICS")}},
	} {
		readers[first] = func(r *reader, s Server) (Statement, error) {
			for _, one := range refusals {
				if one.words == "" || r.take(one.words) {
					return Statement{}, one.why(r, s)
				}
			}
			return Statement{}, nil
		}
	}
	readers["SET"] = set
	others := readers["FLUSH"]
	readers["FLUSH"] = func(r *reader, s Server) (Statement, error) {
		if at := r.at; r.take("NO_WRITE_TO_BINLOG STATUS", "LOCAL STATUS", "STATUS") && r.ended() {
			s.ResetStatus()
			return done(r)
		} else {
			r.at = at
		}
		return others(r, s)
	}
}

// refusal is a statement by the words behind its first one; no words are any.
type refusal struct {
	words string
	why   func(*reader, Server) error
}

func denied(right string) error {
	return mistake(1227, "Access denied; you need (at least one of) the %s privilege(s) for this operation", right)
}

func unsupported(what string) func(*reader, Server) error {
	return func(*reader, Server) error {
		return mistake(1235, "This version of wiresql doesn't yet support '%s'", what)
	}
}

func onlyAnswers(what string) error {
	return mistake(1290, "wiresql answers questions only: %s is refused", what)
}

func change(r *reader, _ Server) (Statement, error) {
	switch {
	case r.is("RESOURCE", "GROUP"):
		return Statement{}, denied("RESOURCE_GROUP_ADMIN")
	case r.is("PREPARE"): // which is DEALLOCATE PREPARE
		return Statement{}, nil
	}
	return Statement{}, onlyAnswers(strings.ToUpper(r.tokens[0].text))
}

func unknownProcedure(r *reader, s Server) error {
	schema, name, ok := r.table()
	if !ok {
		return r.syntax()
	}
	schema, err := schemaOr(s, schema)
	if err != nil {
		return err
	}
	ours := []string{tables.Main, tables.Ops, tables.Hunt}
	if tables.Procedures[strings.ToLower(name)] != 0 && slices.Contains(ours, strings.ToLower(schema)) {
		return nil // the engine runs it
	}
	return mistake(1305, "PROCEDURE %s.%s does not exist", schema, name)
}

// set is SET of what is no variable: roles, of which nobody has any.
func set(r *reader, s Server) (Statement, error) {
	switch {
	case r.is("ROLE", "="):
	case r.take("DEFAULT ROLE"):
		return Statement{}, onlyAnswers("SET DEFAULT ROLE")
	case r.take("PASSWORD FOR"):
		return Statement{}, onlyAnswers("SET PASSWORD")
	case r.take("RESOURCE GROUP"):
		return Statement{}, denied("RESOURCE_GROUP_ADMIN or RESOURCE_GROUP_USER")
	case r.take("ROLE NONE", "ROLE DEFAULT", "ROLE ALL"):
		if r.take("EXCEPT") {
			r.at = len(r.tokens)
		}
		return done(r)
	case r.take("ROLE"):
		role := r.next()
		if role.kind == endToken {
			return Statement{}, r.syntax()
		}
		user, _ := s.User()
		return Statement{}, mistake(3530, "`%s`@`%%` is not granted to `%s`@`%%`", role.text, user)
	}
	return Statement{}, nil
}
