package functions

import (
	"bytes"

	"vitess.io/vitess/go/mysql/collations"

	"github.com/wiresql/wiresql/tables"
)

// All lists the functions in the order the documentation shows them.
var All = []*Function{
	overlaps, timeBucket,
	ipIn, ipNetwork, isPrivate, registeredDomain,
	protocolName, serviceName, tcpFlagsText,
	contains, containsAny, entropy, httpHeader, printable, hexdump,
}

// UDFs lists what the engine registers with DuckDB: functions that have no
// form in DuckDB's own SQL, and the texts of values that are stored as
// numbers, for queries that compute with those texts.
var UDFs = []UDFSpec{
	{"wiresql_ip_text", []string{"UBIGINT", "UBIGINT"}, "VARCHAR", func(a []any) (any, error) {
		return tables.Addr{Hi: a[0].(uint64), Lo: a[1].(uint64)}.String(), nil
	}},
	{"wiresql_id_text", []string{"UBIGINT"}, "VARCHAR", func(a []any) (any, error) {
		return tables.ID(a[0].(uint64)).String(), nil
	}},
	{"wiresql_mac_text", []string{"BIGINT"}, "VARCHAR", func(a []any) (any, error) {
		return tables.MACText(uint64(a[0].(int64))), nil
	}},
	{"wiresql_community_id", []string{"UBIGINT", "UBIGINT", "UBIGINT", "UBIGINT", "INTEGER", "INTEGER", "INTEGER"}, "VARCHAR",
		func(a []any) (any, error) {
			return tables.CommunityIDText(
				tables.Addr{Hi: a[0].(uint64), Lo: a[1].(uint64)}, tables.Addr{Hi: a[2].(uint64), Lo: a[3].(uint64)},
				uint16(a[4].(int32)), uint16(a[5].(int32)), uint8(a[6].(int32))), nil
		}},
	{"wiresql_ip_network", []string{"UBIGINT", "UBIGINT", "BIGINT", "BIGINT"}, "VARCHAR", func(a []any) (any, error) {
		return networkOf(tables.Addr{Hi: a[0].(uint64), Lo: a[1].(uint64)}, a[2].(int64), a[3].(int64))
	}},
	{"wiresql_protocol_name", []string{"BIGINT"}, "VARCHAR", protocolName.Eval},
	{"wiresql_service_name", []string{"BIGINT", "VARCHAR"}, "VARCHAR", serviceName.Eval},
	{"wiresql_tcp_flags_text", []string{"BIGINT"}, "VARCHAR", tcpFlagsText.Eval},
	{"wiresql_weight", []string{"VARCHAR", "BIGINT"}, "BLOB", func(a []any) (any, error) {
		return Weight(a[0].(string), collations.ID(a[1].(int64))), nil
	}},
	{"wiresql_like_bytes", []string{"BLOB", "BLOB", "BLOB"}, "BOOLEAN", func(a []any) (any, error) {
		return Like(a[0].([]byte), a[1].([]byte), a[2].([]byte))
	}},
	{"wiresql_local", []string{"TIMESTAMP", "VARCHAR"}, "TIMESTAMP", func(a []any) (any, error) {
		return FindZone(a[1].(string)).Local(a[0].(int64)), nil
	}},
	{"wiresql_entropy", []string{"BLOB"}, "DOUBLE", entropy.Eval},
	{"wiresql_http_header", []string{"BLOB", "VARCHAR"}, "VARCHAR", httpHeader.Eval},
	{"wiresql_registered_domain", []string{"VARCHAR"}, "VARCHAR", registeredDomain.Eval},
	{"wiresql_hexdump", []string{"BLOB"}, "VARCHAR", hexdump.Eval},
	{"wiresql_printable", []string{"BLOB"}, "VARCHAR", printable.Eval},
	{"wiresql_contains", []string{"BLOB", "BLOB"}, "BOOLEAN", func(a []any) (any, error) {
		return bytes.Contains(a[0].([]byte), a[1].([]byte)), nil
	}},
}
