-- title: Bursts of names that do not exist
-- question: Who asks for many names that do not exist within a few minutes?
-- severity: medium
-- techniques: T1568.002, T1018
-- references: https://attack.mitre.org/techniques/T1018/
-- reads: dns
-- key: client_ip, minutes
-- parameter: names int 30: least different names in ten minutes
-- result: each row is a machine and ten minutes
-- empty: nobody asked for so many where answers were recorded
-- false positives: a search suffix that turns every name into several; mail servers
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM dns WHERE client_ip = :client_ip AND ts >= :minutes AND rcode = 'NXDOMAIN') ORDER BY ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 600 * 600) AS minutes,
       COUNT(DISTINCT query) AS names, COUNT(*) AS queries, MIN(query) AS example
FROM dns
WHERE ts BETWEEN :from AND :to AND rcode = 'NXDOMAIN' AND query NOT LIKE '%.arpa'
GROUP BY client_ip, FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 600 * 600)
HAVING COUNT(DISTINCT query) >= :names
ORDER BY COUNT(DISTINCT query) DESC, client_ip, minutes
