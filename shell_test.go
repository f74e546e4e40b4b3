package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// What a person at the mariadb shell sees of the server.
func TestShellAboutServer(t *testing.T) {
	client, err := exec.LookPath("mariadb")
	if err != nil {
		t.Fatal("the mariadb client is not installed: make deps")
	}
	options := wireOptions(t, demoEngine(t))
	for input, want := range map[string][]string{
		"SHOW DATABASES;":               {"wiresql", "ops", "information_schema", "performance_schema", "mysql", "sys"},
		"SHOW TABLES;":                  {"Tables_in_wiresql", "connections"},
		"SHOW FULL TABLES LIKE 'host%'": {"Tables_in_wiresql (host%)", "BASE TABLE"},
		"DESC hosts;":                   {"datetime(6)", "varchar(45)"},
		"DESC hosts mac;":               {"varchar(17)"},
		"SHOW GRANTS;":                  {"Grants for wiresql@%", "GRANT SELECT ON `wiresql`.* TO `wiresql`@`%`", "GRANT SELECT ON `ops`.* TO `wiresql`@`%`"},
		"SHOW GRANTS FOR 'wiresql';":    {"GRANT PROCESS ON *.* TO `wiresql`@`%`"},
		"SHOW ERRORS; SELECT 'after';":  {"after"},
		"SHOW COUNT(*) WARNINGS;":       {"@@session.warning_count", "0"},
		"SELECT 1/0; SHOW COUNT(*) WARNINGS; SHOW WARNINGS LIMIT 1;": {"NULL", "1365", "Division by 0", " 1 |"},
		"SHOW PROCESSLIST;": {"Query", "wiresql", "SHOW PROCESSLIST"},
		"SELECT COUNT(*) > 0 FROM information_schema.processlist WHERE id = CONNECTION_ID();":                                                         {" 1 |"},
		"SELECT info FROM performance_schema.threads RIGHT JOIN information_schema.processlist p ON processlist_id = p.id;":                           {"RIGHT JOIN"},
		"SHOW VARIABLES LIKE 'autocommit'; SELECT @@autocommit;":                                                                                      {"ON", " 1 |"},
		"SET autocommit = 0; SHOW VARIABLES LIKE 'autocommit';":                                                                                       {"OFF"},
		"SELECT VARIABLE_VALUE FROM performance_schema.session_variables WHERE VARIABLE_NAME = 'version';":                                            {"8.0.33-wiresql"},
		"SELECT User, plugin, authentication_string = '' FROM mysql.user;":                                                                            {"| wiresql | caching_sha2_password |", "1 |"},
		"SELECT Db FROM mysql.db ORDER BY Db;":                                                                                                        {"ops", "wiresql"},
		"SHOW STATUS LIKE 'wiresql_socket_received_total';":                                                                                           {"| 0 "},
		"SHOW TABLE STATUS LIKE 'connections'\\G":                                                                                                     {"Engine: wiresql", "Rows: 199"},
		"SHOW CREATE DATABASE wiresql;":                                                                                                               {"DEFAULT CHARACTER SET utf8mb4"},
		"USE performance_schema; SHOW TABLES; USE sys; SELECT * FROM version; USE mysql; SELECT * FROM db;":                                           {"threads", "8.0.33-wiresql"},
		"LOCK TABLES connections READ; UNLOCK TABLES; START TRANSACTION WITH CONSISTENT SNAPSHOT; SAVEPOINT a; ROLLBACK TO a; COMMIT; SELECT 'done';": {"done"},
		"SELECT 1/0; SELECT @@warning_count, @@error_count;":                                                                                          {"|               1 |", "0 |"},
		"SELECT @@identity, @@last_insert_id, @@query_cache_size, @@have_profiling;":                                                                  {"NO", " 0 |"},
		"SHOW STATUS LIKE 'Ssl_cipher';":                                                                                                              {"TLS_"},
		"SHOW STATUS LIKE 'Ssl_version';":                                                                                                             {"TLSv1."},
		"SHOW GLOBAL STATUS WHERE Variable_name = 'Threads_running' AND Value > 0;":                                                                   {"Threads_running"},
		"SHOW GLOBAL STATUS WHERE Variable_name = 'Questions' AND Value > 0;":                                                                         {"Questions"},
		"SELECT 1; SELECT 2; SHOW STATUS LIKE 'Questions';":                                                                                           {"| Questions     | "},
		"DO SLEEP(0); DO 1; SELECT 'done';":                                                                                                           {"done"},
		"\\s":                                                                                                                                         {"Server version:", "8.0.33-wiresql", "Cipher in use", "Uptime:"},
		"SELECT c.client_ip, t.table_comment <> '' FROM connections c JOIN information_schema.tables t ON t.table_name = 'connections' LIMIT 1;": {" 1 |"},
	} {
		out, err := askShell(client, options, input)
		if err != nil {
			t.Errorf("%s: %v\n%s", input, err, out)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: no %q in\n%s", input, w, out)
			}
		}
	}
	for input, want := range map[string]string{
		"SHOW TABLES FROM nowhere;":                        "ERROR 1049 (42000)",
		"SHOW COLUMNS FROM nothing;":                       "ERROR 1146 (42S02)",
		"SHOW CREATE TABLE ops.nothing;":                   "ERROR 1146 (42S02)",
		"DESC nothing;":                                    "ERROR 1146 (42S02)",
		"SHOW NOTHING;":                                    "ERROR 1064 (42000)",
		"SHOW TABLES LIKE;":                                "ERROR 1064 (42000)",
		"SHOW TABLES WHERE 1) UNION (SELECT 1;":            "ERROR 1064 (42000)",
		"SHOW TABLES WHERE nothing = 1;":                   "ERROR 1054 (42S22)",
		"SHOW CREATE PROCEDURE p;":                         "ERROR 1305 (42000)",
		"SHOW CREATE TRIGGER t;":                           "ERROR 1360 (HY000)",
		"SHOW CREATE EVENT e;":                             "ERROR 1539 (HY000)",
		"SHOW CREATE VIEW connections;":                    "ERROR 1347 (HY000)",
		"SHOW GRANTS FOR 'somebody';":                      "ERROR 1142 (42000)",
		"SHOW ENGINE nothing STATUS;":                      "ERROR 1286 (42000)",
		"KILL 4000000000;":                                 "ERROR 1094 (HY000)",
		"KILL QUERY 4000000000;":                           "ERROR 1094 (HY000)",
		"FLUSH TABLES;":                                    "ERROR 1227 (42000)",
		"ANALYZE TABLE nothing;":                           "ERROR 1146 (42S02)",
		"CHECK TABLE nothing;":                             "ERROR 1146 (42S02)",
		"LOCK TABLES connections WRITE;":                   "ERROR 1290 (HY000)",
		"HANDLER connections OPEN;":                        "ERROR 1031 (HY000)",
		"XA START 'a';":                                    "ERROR 1290 (HY000)",
		"SELECT * FROM mysql.proc;":                        "ERROR 1146 (42S02)",
		"ROLLBACK TO nothing;":                             "ERROR 1305 (42000)",
		"USE nowhere;":                                     "ERROR 1049 (42000)",
		"DO (SELECT nothing FROM connections);":            "ERROR 1054 (42S22)",
		"INSERT INTO information_schema.TABLES VALUES ();": "ERROR 1290 (HY000)",
	} {
		if out, err := askShell(client, options, input); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v, want %s\n%s", input, err, want, out)
		}
	}
}

func askShell(client, options, input string) (string, error) {
	var out bytes.Buffer
	cmd := exec.Command(client, "--defaults-file="+options, "--table", "wiresql")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &out
	err := cmd.Run()
	return out.String(), err
}
