-- title: Who resolved it
-- question: Who asked for this name, or a name below it, and what did they get?
-- severity: info
-- techniques: T1071.004
-- reads: dns
-- key: client_ip, query, qtype
-- parameter: name text ?: a name or domain
-- result: each look-up in order of time, with its answers
-- empty: nobody asked a resolver that was recorded; DNS over HTTPS or TLS is not seen: run dns_bypass
-- packets: SELECT ts, info FROM packets WHERE conn_id = :conn_id ORDER BY ts LIMIT 100
SELECT ts, client_ip, client_host, server_ip, query, qtype, rcode, answers, ttl, conn_id
FROM dns
WHERE ts BETWEEN :from AND :to AND (query = :name OR query LIKE CONCAT('%.', REPLACE(REPLACE(:name, '_', '|_'), '%', '|%')) ESCAPE '|')
ORDER BY ts, conn_id
