-- title: Flood of SYNs
-- question: Which server got more connection attempts than it could answer?
-- severity: high
-- techniques: T1498.001, T1499.001
-- references: https://attack.mitre.org/techniques/T1499/001/
-- reads: connections
-- key: server_ip, server_port, minute
-- parameter: attempts int 1000: least attempts in a minute that were never completed
-- result: each row is a server, a port and a minute; many sources with one attempt each are forged, and most of them are folded into one, 0.0.0.0
-- empty: nobody was flooded where it was recorded
-- false positives: a server that went away
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.server_ip = :server_ip AND c.server_port = :server_port AND c.conn_state = 'S0' ORDER BY p.ts LIMIT 1000
SELECT server_ip, GROUP_CONCAT(DISTINCT server_host ORDER BY server_host) AS server, server_port, FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 60 * 60) AS minute,
       SUM(COALESCE(flows_folded, 1)) AS attempts, COUNT(DISTINCT client_ip) AS sources, SUM(packets) AS packets
FROM connections
WHERE ts BETWEEN :from AND :to AND protocol = 'tcp' AND conn_state IN ('S0', 'S1', 'SH')
GROUP BY server_ip, server_port, FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 60 * 60)
HAVING SUM(COALESCE(flows_folded, 1)) >= :attempts AND AVG(conn_state = 'S0' OR COALESCE(client_bytes, 0) < 200) > 0.9
ORDER BY attempts DESC, server_ip, server_port, minute
