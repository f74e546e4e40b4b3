-- title: More out than in
-- question: Who sent much more to a server outside than came back?
-- severity: high
-- techniques: T1041, T1048
-- references: https://attack.mitre.org/techniques/T1041/
-- reads: connections
-- key: client_ip, server_ip
-- parameter: least int 50000000: least bytes sent to one server
-- parameter: ratio number 5: how many times more than came back
-- parameter: ignore text : names and registered domains of backups and the like, comma-joined
-- result: each row is a machine and a server outside, the most bytes sent first
-- empty: nobody sent so much to one server; exfil_slow looks over many days
-- false positives: backups, video conferences, uploads: name them in ignore
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, GROUP_CONCAT(DISTINCT server_name ORDER BY server_name) AS server_name, GROUP_CONCAT(DISTINCT service ORDER BY service) AS services,
       COUNT(*) AS connections, SUM(client_bytes) AS sent, SUM(server_bytes) AS received, MIN(ts) AS first_seen, MAX(ts_end) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND direction = 'outbound'
  AND NOT FIND_IN_SET(COALESCE(server_name, ''), :ignore) AND NOT FIND_IN_SET(COALESCE(registered_domain(server_name), ''), :ignore)
GROUP BY client_ip, server_ip
HAVING SUM(client_bytes) >= :least AND SUM(client_bytes) >= :ratio * COALESCE(SUM(server_bytes), 0)
ORDER BY SUM(client_bytes) DESC, client_ip, server_ip
