-- title: Beacons with jitter
-- question: Which machine calls the same server at intervals that vary on purpose, but stay between two bounds?
-- severity: medium
-- techniques: T1071, T1573
-- references: https://attack.mitre.org/techniques/T1071/
-- reads: connections
-- key: client_ip, server_ip, server_port, protocol
-- parameter: calls int 30: least number of calls
-- parameter: shortest number 10: least seconds between two of them, in the middle
-- parameter: width number 4: how many times longer the gap that nine of ten stay below may be than the one that nine of ten stay above
-- parameter: alike number 0.3: how far bytes sent may lie from those of the middle call, as a part of them
-- parameter: ignore text ntp: services that beacon by nature, comma-joined
-- result: each row is a pair whose calls send nearly the same, at gaps between tenth and ninetieth
-- empty: nobody called so; a day of coverage shows beacons of half an hour
-- false positives: mail clients that look for mail, chat programs
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip AND c.server_port = :server_port ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, GROUP_CONCAT(DISTINCT server_name ORDER BY server_name) AS server_name, server_port, protocol, COUNT(*) AS calls,
       quantile(gap, 0.1) AS tenth, median(gap) AS every_seconds, quantile(gap, 0.9) AS ninetieth, median(client_bytes) AS sent_each,
       SUM(server_bytes) AS received, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM (SELECT client_ip, client_host, server_ip, server_name, server_port, protocol, client_bytes, server_bytes, ts,
             TIMESTAMPDIFF(MICROSECOND, LAG(ts) OVER (PARTITION BY client_ip, server_ip, server_port, protocol ORDER BY ts), ts) / 1000000 AS gap
      FROM connections
      WHERE ts BETWEEN :from AND :to AND direction = 'outbound' AND NOT FIND_IN_SET(COALESCE(service, ''), :ignore)) calls
GROUP BY client_ip, server_ip, server_port, protocol
HAVING COUNT(*) >= :calls AND median(gap) >= :shortest AND quantile(gap, 0.1) > 0 AND quantile(gap, 0.9) <= :width * quantile(gap, 0.1)
   AND mad(client_bytes) <= :alike * median(client_bytes)
ORDER BY quantile(gap, 0.9) / quantile(gap, 0.1), client_ip, server_ip
