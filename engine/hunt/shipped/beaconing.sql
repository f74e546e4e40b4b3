-- title: Beacons
-- question: Which machine calls the same server again and again at nearly the same interval?
-- severity: high
-- techniques: T1071, T1571, T1573
-- references: https://attack.mitre.org/techniques/T1071/
-- reads: connections
-- key: client_ip, server_ip, server_port, protocol
-- parameter: calls int 20: least number of calls
-- parameter: shortest number 5: least seconds between two of them, in the middle
-- parameter: jitter number 0.1: how far gaps may lie from the middle one, as a part of it
-- parameter: ignore text ntp: services that beacon by nature, comma-joined
-- result: each row is a pair; every_seconds is the middle gap and spread the middle distance from it, so that nights and lost calls hide nothing
-- empty: nobody called that steadily; one hour of coverage shows beacons of three minutes, a day those of an hour
-- false positives: updaters, monitoring, chat programs: name their services in ignore, or look at server_name
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip AND c.server_port = :server_port ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, GROUP_CONCAT(DISTINCT server_name ORDER BY server_name) AS server_name, server_port, protocol, COUNT(*) AS calls,
       median(gap) AS every_seconds, mad(gap) AS spread, SUM(client_bytes) AS sent, SUM(server_bytes) AS received, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM (SELECT client_ip, client_host, server_ip, server_name, server_port, protocol, client_bytes, server_bytes, ts,
             TIMESTAMPDIFF(MICROSECOND, LAG(ts) OVER (PARTITION BY client_ip, server_ip, server_port, protocol ORDER BY ts), ts) / 1000000 AS gap
      FROM connections
      WHERE ts BETWEEN :from AND :to AND direction = 'outbound' AND NOT FIND_IN_SET(COALESCE(service, ''), :ignore)) calls
GROUP BY client_ip, server_ip, server_port, protocol
HAVING COUNT(*) >= :calls AND median(gap) >= :shortest AND mad(gap) <= :jitter * median(gap)
ORDER BY mad(gap) / median(gap), client_ip, server_ip
