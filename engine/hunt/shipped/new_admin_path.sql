-- title: New path of administration
-- question: Which machine administered another one for the first time?
-- severity: medium
-- techniques: T1021
-- references: https://attack.mitre.org/techniques/T1021/
-- reads: connections
-- key: client_ip, server_ip, server_port
-- parameter: history interval 7 DAY: how long before from must have been recorded for "first" to mean something
-- parameter: ports text 22,135,445,3389,5900,5985,5986: ports of administration, comma-joined
-- result: each pair and port whose first connection lies in this time
-- empty: every path was known, or the archive does not reach back as far as history
-- false positives: a new administrator, a new server
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip AND c.server_port = :server_port ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, GROUP_CONCAT(DISTINCT server_host ORDER BY server_host) AS server, server_port, MIN(ts) AS first_seen, COUNT(*) AS connections, SUM(bytes) AS bytes
FROM connections
WHERE ts <= :to AND direction = 'internal' AND protocol = 'tcp' AND FIND_IN_SET(server_port, :ports) AND server_bytes > 0 AND conn_state NOT IN ('S0', 'REJ')
  AND (SELECT MIN(ts) FROM connections) <= :from - :history
GROUP BY client_ip, server_ip, server_port
HAVING MIN(ts) >= :from
ORDER BY MIN(ts), client_ip, server_ip
