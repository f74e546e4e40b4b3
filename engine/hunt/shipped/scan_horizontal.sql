-- title: Scan of many machines
-- question: Who looks for one port on many machines?
-- severity: medium
-- techniques: T1046, T1018
-- references: https://attack.mitre.org/techniques/T1046/
-- reads: connections
-- key: client_ip, direction, protocol, server_port
-- parameter: targets int 50: least machines tried
-- parameter: unanswered number 0.5: least part of the tries that were refused or not answered
-- result: each row is a scanner and a port; answered tells how many were found
-- empty: nobody scanned where it was recorded; a slow scan shows over a longer time
-- false positives: monitoring of machines that are gone
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_port = :server_port ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, direction, protocol, server_port, COUNT(DISTINCT server_ip) AS targets, COUNT(*) AS tries,
       COUNT(DISTINCT IF(conn_state NOT IN ('S0', 'REJ', 'SH', 'RSTOS0') AND COALESCE(server_bytes, 0) > 0, server_ip, NULL)) AS answered,
       MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND protocol IN ('tcp', 'udp') AND direction <> 'multicast' AND oriented_by <> 'service_port'
GROUP BY client_ip, direction, protocol, server_port
HAVING COUNT(DISTINCT server_ip) >= :targets
   AND AVG(conn_state IN ('S0', 'REJ', 'SH', 'RSTOS0') OR COALESCE(server_bytes, 0) = 0) >= :unanswered
ORDER BY COUNT(DISTINCT server_ip) DESC, client_ip, server_port
