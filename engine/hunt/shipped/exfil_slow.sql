-- title: Little by little
-- question: Who sends a little to the same server outside, day after day, more than comes back?
-- severity: medium
-- techniques: T1041, T1030
-- references: https://attack.mitre.org/techniques/T1030/
-- reads: connections
-- key: client_ip, server_ip
-- parameter: days int 3: least days
-- parameter: least int 5000000: least bytes sent in all
-- parameter: ratio number 3: how many times more than came back
-- parameter: ignore text : names and registered domains of backups and the like, comma-joined
-- result: each row is a machine and a server outside, with on how many days it sent more than came back
-- empty: nobody did; less than days of coverage can't show it
-- false positives: telemetry, backups: name them in ignore
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, GROUP_CONCAT(DISTINCT server_name ORDER BY server_name) AS server_name, COUNT(DISTINCT DATE(ts)) AS days, COUNT(*) AS connections,
       SUM(client_bytes) AS sent, SUM(server_bytes) AS received, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND direction = 'outbound' AND client_bytes > COALESCE(server_bytes, 0)
  AND NOT FIND_IN_SET(COALESCE(server_name, ''), :ignore) AND NOT FIND_IN_SET(COALESCE(registered_domain(server_name), ''), :ignore)
GROUP BY client_ip, server_ip
HAVING COUNT(DISTINCT DATE(ts)) >= :days AND SUM(client_bytes) >= :least AND SUM(client_bytes) >= :ratio * COALESCE(SUM(server_bytes), 0)
ORDER BY SUM(client_bytes) DESC, client_ip, server_ip
