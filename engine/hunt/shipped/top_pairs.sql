-- title: Top pairs
-- question: Which two machines exchanged the most?
-- severity: info
-- reads: connections
-- key: client_ip, server_ip, service, server_port
-- parameter: rows int 20: how many pairs
-- result: a row a pair and service, the most bytes first
-- empty: nothing was recorded in this time; look at ops.coverage
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, COALESCE(MAX(server_name), MAX(server_host)) AS server, service, server_port,
       COUNT(*) AS connections, SUM(client_bytes) AS sent, SUM(server_bytes) AS received, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to
GROUP BY client_ip, server_ip, service, server_port
ORDER BY SUM(bytes) DESC, client_ip, server_ip, server_port
LIMIT :rows
