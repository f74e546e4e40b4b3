package engine

import (
	"math"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// System variables of MySQL 8.0 that go-mysql-server lacks, with MySQL's defaults
// (manual 7.1.8): programs read them as they start. None changes what a statement
// means here. Those that can be set take any value of their kind.

// switches are ON or OFF.
var switches = map[string]bool{
	"avoid_temporal_upgrade": false, "global_connection_memory_tracking": false, "innodb_adaptive_hash_index": true,
	"innodb_file_per_table": true, "innodb_read_only": false, "innodb_rollback_on_timeout": false, "innodb_stats_persistent": true,
	"innodb_strict_mode": true, "innodb_table_locks": true, "keyring_operations": true, "log_bin_trust_function_creators": false,
	"log_replica_updates": true, "log_slave_updates": true, "profiling": false, "pseudo_replica_mode": false,
	"show_gipk_in_create_table_and_information_schema": true, "source_verify_checksum": false, "sql_generate_invisible_primary_key": false,
	"binlog_transaction_compression": false, "transaction_allow_batching": false, "xa_detach_on_prepare": true, "locked_in_memory": false,
}

// numberVariables are whole numbers.
var numberVariables = map[string]int64{
	"binlog_cache_size": 32768, "connection_memory_chunk_size": 8912, "expire_logs_days": 0, "innodb_buffer_pool_instances": 1,
	"innodb_fast_shutdown": 1, "innodb_flush_log_at_trx_commit": 1, "innodb_log_buffer_size": 16777216, "innodb_log_file_size": 50331648,
	"innodb_page_size": 16384, "innodb_redo_log_capacity": 104857600, "innodb_thread_concurrency": 0, "insert_id": 0, "max_relay_log_size": 0,
	"mysqlx_port": 33060, "optimizer_max_subgraph_pairs": 100000, "profiling_history_size": 15, "query_alloc_block_size": 8192,
	"query_cache_limit": 1048576, "query_prealloc_size": 8192, "range_alloc_block_size": 4096, "replica_net_timeout": 60, "report_port": 0,
	"rpl_read_size": 8192, "server_id_bits": 32, "slave_net_timeout": 60, "sql_replica_skip_counter": 0, "sync_binlog": 1,
	"thread_stack": 1048576, "transaction_alloc_block_size": 8192,
}

// textVariables are the others.
var textVariables = map[string]string{
	"authentication_policy": "*,,", "build_id": "", "explain_format": "TRADITIONAL", "have_compress": "NO", "have_dynamic_loading": "NO",
	"have_geometry": "NO", "have_openssl": "YES", "have_profiling": "NO", "have_query_cache": "NO", "have_rtree_keys": "NO", "have_ssl": "YES",
	"have_symlink": "DISABLED", "init_replica": "", "init_slave": "", "innodb_default_row_format": "dynamic", "innodb_flush_method": "fsync",
	"innodb_temp_data_file_path": "ibtmp1:12M:autoextend", "innodb_version": "8.0.33", "log_bin_basename": "", "log_bin_index": "",
	"optimizer_switch": "index_merge=on,index_merge_union=on,index_merge_sort_union=on,index_merge_intersection=on," +
		"engine_condition_pushdown=on,index_condition_pushdown=on,mrr=on,mrr_cost_based=on,block_nested_loop=on,batched_key_access=off," +
		"materialization=on,semijoin=on,loosescan=on,firstmatch=on,duplicateweedout=on,subquery_materialization_cost_based=on," +
		"use_index_extensions=on,condition_fanout_filter=on,derived_merge=on,use_invisible_indexes=off,skip_scan=on,hash_join=on," +
		"subquery_to_derived=off,prefer_ordering_index=on,hypergraph_optimizer=off,derived_condition_pushdown=on",
	"relay_log": "", "relay_log_basename": "", "report_host": "", "ssl_session_cache_mode": "ON", "transaction_write_set_extraction": "XXHASH64",
	"version_suffix": "",
}

// fixedVariables can't be set.
var fixedVariables = map[string]bool{"build_id": true, "have_compress": true, "have_dynamic_loading": true, "have_geometry": true,
	"have_openssl": true, "have_profiling": true, "have_query_cache": true, "have_rtree_keys": true, "have_ssl": true, "have_symlink": true,
	"innodb_version": true, "innodb_page_size": true, "innodb_read_only": true, "log_bin_basename": true, "log_bin_index": true,
	"version_suffix": true, "locked_in_memory": true, "thread_stack": true, "mysqlx_port": true}

// lackingVariables are those above.
func lackingVariables() (out []sql.SystemVariable) {
	add := func(name string, typ sql.SystemVariableType, value any) {
		if _, _, known := sql.SystemVariables.GetGlobal(name); known {
			return
		}
		out = append(out, &sql.MysqlSystemVariable{Name: name, Scope: sql.GetMysqlScope(sql.SystemVariableScope_Both),
			Dynamic: !fixedVariables[name], Type: typ, Default: value})
	}
	for name, on := range switches {
		value := int8(0)
		if on {
			value = 1
		}
		add(name, types.NewSystemBoolType(name), value)
	}
	for name, value := range numberVariables {
		add(name, types.NewSystemIntType(name, 0, math.MaxInt64, false), value)
	}
	for name, value := range textVariables {
		add(name, types.NewSystemStringType(name), value)
	}
	return out
}
