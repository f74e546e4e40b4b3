-- title: Fan-out
-- question: Which machine suddenly speaks with many others inside?
-- severity: medium
-- techniques: T1021, T1570
-- references: https://attack.mitre.org/techniques/T1570/
-- reads: connections
-- key: client_ip, server_port, protocol, minutes
-- parameter: peers int 15: least machines within ten minutes
-- result: each row is a machine and ten minutes in which so many answered it on one port
-- empty: nobody did, or traffic inside is not mirrored
-- false positives: monitoring, inventory, backup; scans show up in scan_horizontal as well
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_port = :server_port AND c.ts >= :minutes ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_port, protocol, FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 600 * 600) AS minutes,
       COUNT(DISTINCT server_ip) AS peers, COUNT(*) AS connections, SUM(bytes) AS bytes
FROM connections
WHERE ts BETWEEN :from AND :to AND direction = 'internal' AND server_bytes > 0 AND server_port > 0 AND conn_state NOT IN ('S0', 'REJ')
GROUP BY client_ip, server_port, protocol, FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 600 * 600)
HAVING COUNT(DISTINCT server_ip) >= :peers
ORDER BY COUNT(DISTINCT server_ip) DESC, client_ip, minutes
