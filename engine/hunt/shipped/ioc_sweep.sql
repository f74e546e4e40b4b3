-- title: Indicators
-- question: Who spoke with any of these addresses, or asked for any of these names?
-- severity: high
-- techniques: T1071
-- reads: connections, dns
-- key: seen_in, client_ip, server_ip, name
-- parameter: indicators text ?: addresses and names, comma-joined
-- result: each connection to one of the addresses, each connection and look-up with one of the names or a name below it
-- empty: none was met in this time; that holds only where something was recorded, which ops.coverage says
-- packets: SELECT ts, info FROM packets WHERE conn_id = :conn_id ORDER BY ts LIMIT 1000
SELECT ts, 'connection' AS seen_in, client_ip, client_host, server_ip AS server_ip, server_name AS name, server_port, bytes, conn_id
FROM connections
WHERE ts BETWEEN :from AND :to
  AND (FIND_IN_SET(server_ip, REPLACE(:indicators, ' ', '')) OR FIND_IN_SET(client_ip, REPLACE(:indicators, ' ', ''))
    OR FIND_IN_SET(server_name, REPLACE(:indicators, ' ', '')) OR FIND_IN_SET(registered_domain(server_name), REPLACE(:indicators, ' ', '')))
UNION ALL
SELECT ts, 'dns', client_ip, client_host, server_ip, query, 53, NULL, conn_id
FROM dns
WHERE ts BETWEEN :from AND :to
  AND (FIND_IN_SET(query, REPLACE(:indicators, ' ', '')) OR FIND_IN_SET(registered_domain(query), REPLACE(:indicators, ' ', '')))
ORDER BY ts, conn_id
