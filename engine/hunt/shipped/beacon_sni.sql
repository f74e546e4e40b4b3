-- title: Beacons by name
-- question: Which machine calls the same name at nearly the same interval, at whatever address it has?
-- severity: high
-- techniques: T1071.001, T1090.004
-- references: https://attack.mitre.org/techniques/T1090/004/
-- reads: connections
-- key: client_ip, server_name
-- parameter: calls int 20: least number of calls
-- parameter: shortest number 5: least seconds between two of them, in the middle
-- parameter: jitter number 0.1: how far gaps may lie from the middle one, as a part of it
-- result: each row is a machine and a name that stands on several addresses, which beaconing misses
-- empty: nobody called a name that steadily; names that are encrypted (ECH) are not seen
-- false positives: updaters and telemetry behind content networks
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_name = :server_name ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_name, COUNT(DISTINCT server_ip) AS addresses, COUNT(*) AS calls,
       median(gap) AS every_seconds, mad(gap) AS spread, SUM(client_bytes) AS sent, SUM(server_bytes) AS received, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM (SELECT client_ip, client_host, server_ip, server_name, client_bytes, server_bytes, ts,
             TIMESTAMPDIFF(MICROSECOND, LAG(ts) OVER (PARTITION BY client_ip, server_name ORDER BY ts), ts) / 1000000 AS gap
      FROM connections
      WHERE ts BETWEEN :from AND :to AND direction = 'outbound' AND server_name IS NOT NULL) calls
GROUP BY client_ip, server_name
HAVING COUNT(DISTINCT server_ip) > 1 AND COUNT(*) >= :calls AND median(gap) >= :shortest AND mad(gap) <= :jitter * median(gap)
ORDER BY mad(gap) / median(gap), client_ip, server_name
