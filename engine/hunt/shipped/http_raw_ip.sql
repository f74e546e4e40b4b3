-- title: HTTP by address
-- question: Who speaks HTTP with a server outside by its address, not by a name?
-- severity: medium
-- techniques: T1071.001, T1105
-- references: https://attack.mitre.org/techniques/T1105/
-- reads: connections
-- key: client_ip, server_ip, server_port
-- result: each row is a pair; the Host header was an address, or no name was ever resolved to it
-- empty: every server that was asked was asked by name; connections on which nothing was said, as browsers open them ahead, are left out
-- false positives: devices, tests for a portal
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip AND c.service LIKE 'http%' ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, server_port, MAX(server_name) AS host_header, COUNT(*) AS connections,
       SUM(client_bytes) AS sent, SUM(server_bytes) AS received, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND direction = 'outbound' AND protocol = 'tcp' AND service IN ('http', 'http-alt', 'http-proxy')
  AND server_bytes > 0 AND (server_name IS NULL OR INET6_ATON(server_name) IS NOT NULL)
  AND (client_bytes > 60 * client_packets OR server_bytes > 60 * server_packets)
GROUP BY client_ip, server_ip, server_port
ORDER BY SUM(bytes) DESC, client_ip, server_ip
