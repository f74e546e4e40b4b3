-- title: Scan of many ports
-- question: Who tries many ports of one machine?
-- severity: medium
-- techniques: T1046
-- references: https://attack.mitre.org/techniques/T1046/
-- reads: connections
-- key: client_ip, server_ip, protocol
-- parameter: ports int 50: least ports tried
-- parameter: unanswered number 0.5: least part of the tries that were refused or not answered
-- result: each row is a scanner and its target; open tells how many ports were found
-- empty: nobody scanned where it was recorded
-- false positives: passive FTP and RPC use many ports, but are answered
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, GROUP_CONCAT(DISTINCT server_host ORDER BY server_host) AS server, protocol, COUNT(DISTINCT server_port) AS ports, COUNT(*) AS tries,
       COUNT(DISTINCT IF(conn_state NOT IN ('S0', 'REJ', 'SH', 'RSTOS0') AND COALESCE(server_bytes, 0) > 0, server_port, NULL)) AS open,
       MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND protocol IN ('tcp', 'udp') AND direction <> 'multicast' AND oriented_by <> 'service_port'
GROUP BY client_ip, server_ip, protocol
HAVING COUNT(DISTINCT server_port) >= :ports
   AND AVG(conn_state IN ('S0', 'REJ', 'SH', 'RSTOS0') OR COALESCE(server_bytes, 0) = 0) >= :unanswered
ORDER BY COUNT(DISTINCT server_port) DESC, client_ip, server_ip
