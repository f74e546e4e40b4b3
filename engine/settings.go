package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
)

// What becomes of the variables that a session can set. Each is in one of these
// lists: a test looks for one that is in none.

// obeyed change what statements mean or may do.
var obeyed = map[string]string{
	"character_set_client":     "the character set of statements",
	"character_set_connection": "goes with `collation_connection`",
	"character_set_results":    "the character set of results",
	"collation_connection":     "the collation of literals and of what is computed from them",
	"cte_max_recursion_depth":  "rounds of a recursive expression; more is error 3636",
	"default_week_format":      "the mode of a `WEEK` that has none",
	"div_precision_increment":  "digits that `/` and `AVG` have more behind the point",
	"group_concat_max_len":     "bytes of a `GROUP_CONCAT`; each text that is cut gives warning 1260",
	"last_insert_id":           "what `LAST_INSERT_ID()` gives",
	"lc_time_names":            "names of days and months: `en_US` and other English ones",
	"max_allowed_packet":       "bytes of a text that a function makes; more is NULL with warning 1301",
	"max_error_count":          "warnings of a statement that are kept",
	"max_execution_time":       "milliseconds of a statement; more is error 3024. 0 is the server's limit",
	"sql_mode":                 "see below",
	"sql_select_limit":         "rows of a statement without a `LIMIT` of its own",
	"time_zone":                "the zone of times: `SYSTEM` (UTC), an offset, or a name; another is error 1298",
	"timestamp":                "seconds since 1970: the time that `NOW()` gives; 0 is the clock's",
	"net_read_timeout":         "seconds that each piece of a command may take to come",
	"wait_timeout":             "seconds that a connection may do nothing; then it is closed with error 4031",
	varPushdown:                "`off`: plain plans, and every packet is read. A second opinion, slow",
	varScanLimit:               "bytes of packets that a statement may read",
	varGaps:                    "`warn` or `error`: what an incomplete answer is",
}

// onlyValues are variables of which one value is obeyed; another is refused,
// since it would change what statements mean.
var onlyValues = map[string]struct{ value, why string }{
	"default_collation_for_utf8mb4": {"utf8mb4_0900_ai_ci", "name the collation, as in SET NAMES utf8mb4 COLLATE …"},
	"explain_format":                {"TRADITIONAL", "name the format, as in EXPLAIN FORMAT=JSON …"},
	"max_join_size":                 {"18446744073709551615", "rows are not counted ahead; use wiresql_packet_scan_limit or max_execution_time"},
	"pseudo_thread_id":              {"0", "a connection has the number it has"},
	"rand_seed1":                    {"0", "RAND() takes no seed"},
	"resultset_metadata":            {"FULL", "results are described"},
	"sql_auto_is_null":              {"0", "no column counts by itself"},
	"sql_big_selects":               {"1", "rows are not counted ahead; use wiresql_packet_scan_limit or max_execution_time"},
	"sql_quote_show_create":         {"1", "names are quoted"},
	"sql_require_primary_key":       {"0", "no table has one"},
}

// unused are kept and shown, and no answer depends on them: by what they are
// about.
var unused = []struct{ about, names string }{
	{"writing, of which there is none", `auto_increment_increment auto_increment_offset autocommit binlog_row_image block_encryption_mode
		bulk_insert_buffer_size character_set_database character_set_filesystem character_set_server collation_database collation_server
		completion_type default_storage_engine default_table_encryption default_tmp_storage_engine explicit_defaults_for_timestamp
		foreign_key_checks generated_random_password_length insert_id keep_files_on_create low_priority_updates max_delayed_threads
		max_insert_delayed_threads max_points_in_geometry max_sp_recursion_depth old_alter_table require_row_format select_into_buffer_size
		select_into_disk_sync select_into_disk_sync_delay sql_safe_updates strict_mysql_compatibility transaction_isolation
		transaction_read_only transaction_write_set_extraction tx_isolation tx_read_only unique_checks updatable_views_with_limit
		keyring_operations show_gipk_in_create_table_and_information_schema sql_generate_invisible_primary_key xa_detach_on_prepare`},
	{"how MySQL computes, which is done otherwise here with the same answer", `innodb_adaptive_hash_index
		innodb_buffer_pool_instances innodb_default_row_format innodb_fast_shutdown innodb_file_per_table innodb_flush_log_at_trx_commit
		innodb_flush_method innodb_log_buffer_size innodb_log_file_size innodb_redo_log_capacity innodb_rollback_on_timeout
		innodb_stats_persistent innodb_strict_mode innodb_table_locks innodb_temp_data_file_path innodb_thread_concurrency
		optimizer_max_subgraph_pairs optimizer_switch query_alloc_block_size query_cache_limit query_prealloc_size
		range_alloc_block_size transaction_alloc_block_size transaction_allow_batching big_tables disable_merge_join end_markers_in_json
		eq_range_index_dive_limit histogram_generation_max_mem_size information_schema_stats_expiry inmemory_joins
		internal_tmp_mem_storage_engine join_buffer_size join_complexity_limit max_heap_table_size max_length_for_sort_data
		max_seeks_for_key max_sort_length myisam_repair_threads myisam_sort_buffer_size myisam_stats_method new optimizer_prune_level
		optimizer_search_depth optimizer_trace optimizer_trace_features optimizer_trace_limit optimizer_trace_max_mem_size
		optimizer_trace_offset parser_max_mem_size preload_buffer_size query_cache_type range_optimizer_max_mem_size read_buffer_size
		read_rnd_buffer_size secondary_engine_cost_threshold sort_buffer_size sql_buffer_result thread_pool_high_priority_connection
		tmp_table_size transaction_prealloc_size use_secondary_engine windowing_use_high_precision`},
	{"replication and logs, which there are none of", `binlog_cache_size binlog_transaction_compression expire_logs_days init_replica
		init_slave log_bin_trust_function_creators log_replica_updates log_slave_updates max_relay_log_size profiling
		profiling_history_size pseudo_replica_mode relay_log relay_log_basename replica_net_timeout report_host report_port rpl_read_size
		server_id_bits slave_net_timeout source_verify_checksum sql_replica_skip_counter sync_binlog debug_sync gtid_next immediate_server_version log_bin long_query_time
		min_examined_row_limit original_server_version print_identified_with_as_hex pseudo_slave_mode rbr_exec_mode server_id server_uuid
		show_create_table_skip_secondary_engine show_create_table_verbosity show_external_procedures show_old_temporals sql_log_bin
		sql_log_off sql_notes sql_warnings`},
	{"the language of messages, which is English", "lc_messages"},
	{"connections, whose limits are the server's", `authentication_policy connection_memory_chunk_size
		global_connection_memory_tracking ssl_session_cache_mode interactive_timeout lock_wait_timeout max_user_connections net_buffer_length
		net_retry_count net_write_timeout session_track_gtids session_track_schema session_track_state_change
		session_track_system_variables session_track_transaction_info`},
}

// checkOnly refuses another value than the one that is obeyed.
func checkOnly(name string) func(v any) error {
	return func(v any) error {
		only := onlyValues[name]
		if text := fmt.Sprint(v); !strings.EqualFold(text, only.value) {
			return wrongValue(name, text, only.why)
		}
		return nil
	}
}

// settable lists the variables that a session can set.
func settable() []string {
	var out []string
	for name, v := range sql.SystemVariables.NewSessionMap() {
		if m, ok := v.Var.(*sql.MysqlSystemVariable); ok && !m.IsReadOnly() && !m.IsGlobalOnly() {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// FunctionsPage is the documentation of the functions SQL has.
func FunctionsPage() string { return functions.Document() + pushdown.RowsFunctionsPage() }

// FunctionNames are those that a statement can call, as a shell completes them.
func FunctionNames() []string {
	return slices.Sorted(slices.Values(slices.Concat(functions.Names(), pushdown.RowsFunctionNames())))
}

// SettingsPage is the documentation of the variables that can be set.
func SettingsPage() string {
	var b strings.Builder
	b.WriteString("# Settings\n\nWritten from the definitions in package engine (`make docs` writes it again). `SET x = …`, `SET SESSION x = …`, " +
		"`SET @@x = …` and\n`SET x = DEFAULT` are of the session. A variable that does not exist is error 1193, one that can't be set 1238, a value it\n" +
		"can't have 1231 or 1232, `SET GLOBAL` and `SET PERSIST` 1290: what is everybody's stands in the configuration of\n`wiresql serve`.\n\n" +
		"## Obeyed\n\n| variable | default | |\n|---|---|---|\n")
	row := func(name, what string) {
		_, value, _ := sql.SystemVariables.GetGlobal(name)
		text := fmt.Sprint(value)
		switch name {
		case "sql_mode":
			text = strings.ReplaceAll(text, ",", "`, `")
		case "max_allowed_packet":
			text = "--max-request-bytes"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", name, text, what)
	}
	for _, name := range sorted(obeyed) {
		row(name, obeyed[name])
	}
	b.WriteString("\n## Words of `sql_mode`\n\n| word | |\n|---|---|\n")
	for _, m := range modeWords {
		what := m.does
		if m.refused {
			what = "refused: " + what
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", m.word, what)
	}
	b.WriteString("\n## Refused\n\nOf these one value is obeyed, and another is error 1231.\n\n| variable | value | why |\n|---|---|---|\n")
	for _, name := range sorted(onlyValues) {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", name, onlyValues[name].value, onlyValues[name].why)
	}
	b.WriteString("\n## Kept\n\nThese can be set and are shown as they were set. No answer depends on them.\n\n| about | variables |\n|---|---|\n")
	for _, g := range unused {
		fmt.Fprintf(&b, "| %s | `%s` |\n", g.about, strings.Join(strings.Fields(g.names), "`, `"))
	}
	return b.String()
}

func sorted[V any](m map[string]V) []string {
	var out []string
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
