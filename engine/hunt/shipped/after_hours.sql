-- title: After hours
-- question: Who sent much to the outside at night or at the weekend?
-- severity: low
-- techniques: T1029
-- references: https://attack.mitre.org/techniques/T1029/
-- reads: connections
-- key: client_ip, day
-- parameter: begin int 7: hour at which work begins, in the session's time zone
-- parameter: end int 19: hour at which it ends
-- parameter: least int 10000000: least bytes sent in one such day
-- parameter: ignore text : names and registered domains of backups and the like, comma-joined
-- result: each row is a machine and a day, with what it sent to the outside outside working hours
-- empty: nobody sent so much; SET time_zone says whose night is meant
-- false positives: backups and updates at night: name them in ignore
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.direction = 'outbound' AND DATE(c.ts) = :day ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, DATE(ts) AS day, COUNT(DISTINCT server_ip) AS servers, COUNT(*) AS connections,
       SUM(client_bytes) AS sent, SUM(server_bytes) AS received, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND direction = 'outbound' AND (HOUR(ts) < :begin OR HOUR(ts) >= :end OR DAYOFWEEK(ts) IN (1, 7))
  AND NOT FIND_IN_SET(COALESCE(server_name, ''), :ignore) AND NOT FIND_IN_SET(COALESCE(registered_domain(server_name), ''), :ignore)
GROUP BY client_ip, DATE(ts)
HAVING SUM(client_bytes) >= :least AND SUM(client_bytes) > COALESCE(SUM(server_bytes), 0)
ORDER BY SUM(client_bytes) DESC, client_ip, day
