package metadata

import (
	"maps"
	"slices"
)

// The server and its sessions: variables, counters, connections, warnings.

func init() {
	variables := func(global bool) func(Server) ([]record, error) {
		return known(func(s Server) []record { return pairs(s.Variables(global)) })
	}
	status := func(global bool) func(Server) ([]record, error) {
		return func(s Server) ([]record, error) {
			values, err := s.Status(global)
			return pairs(values), err
		}
	}
	sources["performance_schema.session_variables"] = variables(false)
	sources["performance_schema.global_variables"] = variables(true)
	sources["performance_schema.session_status"] = status(false)
	sources["performance_schema.global_status"] = status(true)
	sources["performance_schema.variables_info"] = known(func(s Server) []record {
		rows := pairs(s.Variables(false))
		for _, r := range rows {
			r["VARIABLE_SOURCE"], r["VARIABLE_PATH"], r["MIN_VALUE"], r["MAX_VALUE"] = "COMPILED", "", "0", "0"
		}
		return rows
	})
	sources["information_schema.processlist"] = known(processes)
	sources["performance_schema.processlist"] = known(processes)
	sources["performance_schema.threads"] = known(threads)
	sources["sys.processlist"] = known(statements)
	sources["sys.session"] = known(statements)
	sources["sys.x$processlist"] = known(statements)
	sources["sys.x$session"] = known(statements)
	sources["sys.sys_config"] = known(func(Server) []record {
		row := func(variable string, value any) record { return record{"variable": variable, "value": value} }
		return []record{row("diagnostics.allow_i_s_tables", "OFF"), row("diagnostics.include_raw", "OFF"), row("ps_thread_trx_info.max_length", "65535"),
			row("statement_performance_analyzer.limit", "100"), row("statement_performance_analyzer.view", nil), row("statement_truncate_len", "64")}
	})
	sources["sys.version"] = known(func(s Server) []record {
		return []record{{"sys_version": "2.1.2", "mysql_version": s.Variables(false)["version"]}}
	})
	sources["information_schema.engines"] = known(func(Server) []record {
		return []record{{"ENGINE": Engine, "SUPPORT": "DEFAULT", "COMMENT": "flows and packets of an archive, read only",
			"TRANSACTIONS": "NO", "XA": "NO", "SAVEPOINTS": "NO"}}
	})
	sources["information_schema.plugins"] = known(func(s Server) []record {
		row := func(name, typ, description string) record {
			return record{"PLUGIN_NAME": name, "PLUGIN_VERSION": "1.0", "PLUGIN_STATUS": "ACTIVE", "PLUGIN_TYPE": typ,
				"PLUGIN_TYPE_VERSION": "1.0", "PLUGIN_DESCRIPTION": description, "PLUGIN_LICENSE": s.Variables(true)["license"], "LOAD_OPTION": "FORCE"}
		}
		return []record{row("caching_sha2_password", "AUTHENTICATION", "Caching sha2 authentication"),
			row(Engine, "STORAGE ENGINE", "flows and packets of an archive, read only")}
	})
	sources["show.warnings"] = known(func(s Server) (out []record) {
		for _, w := range s.Warnings() {
			out = append(out, record{"Level": w.Level, "Code": w.Code, "Message": w.Message})
		}
		return out
	})
}

// pairs are names and values, sorted.
func pairs(values map[string]string) (out []record) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out = append(out, record{"VARIABLE_NAME": name, "VARIABLE_VALUE": values[name]})
	}
	return out
}

// orNull is a text, NULL when it is empty.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func processes(s Server) (out []record) {
	for _, p := range s.Processes() {
		out = append(out, record{"ID": p.ID, "USER": p.User, "HOST": p.Host, "DB": orNull(p.Database), "COMMAND": p.Command,
			"TIME": p.Seconds, "STATE": p.State, "INFO": orNull(p.Statement), "EXECUTION_ENGINE": "PRIMARY"})
	}
	return out
}

func threads(s Server) (out []record) {
	for _, p := range s.Processes() {
		out = append(out, record{"THREAD_ID": p.ID, "NAME": "thread/sql/one_connection", "TYPE": "FOREGROUND", "PROCESSLIST_ID": p.ID,
			"PROCESSLIST_USER": p.User, "PROCESSLIST_HOST": p.Host, "PROCESSLIST_DB": orNull(p.Database), "PROCESSLIST_COMMAND": p.Command,
			"PROCESSLIST_TIME": p.Seconds, "PROCESSLIST_STATE": p.State, "PROCESSLIST_INFO": orNull(p.Statement), "INSTRUMENTED": "YES",
			"HISTORY": "NO", "CONNECTION_TYPE": "SSL/TLS", "EXECUTION_ENGINE": "PRIMARY", "TELEMETRY_ACTIVE": "NO"})
	}
	return out
}

// statements is what sys tells of connections.
func statements(s Server) (out []record) {
	for _, p := range s.Processes() {
		out = append(out, record{"thd_id": p.ID, "conn_id": p.ID, "user": p.User + "@" + p.Host, "db": orNull(p.Database),
			"command": p.Command, "state": p.State, "time": p.Seconds, "current_statement": orNull(p.Statement), "execution_engine": "PRIMARY"})
	}
	return out
}
