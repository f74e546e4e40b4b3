-- title: Logins that fail
-- question: Who tries to log in again and again?
-- severity: high
-- techniques: T1110
-- references: https://attack.mitre.org/techniques/T1110/
-- reads: connections, logins
-- key: client_ip, server_ip, server_port, minutes
-- parameter: ports text 21,22,23,110,143,389,445,993,995,1433,3306,3389,5432,5900,5985: ports of logins, comma-joined
-- parameter: tries int 20: least failures, or sessions, with one server within ten minutes
-- parameter: most int 20000: most bytes a session may have, so that it looks like a failure
-- result: each row is a pair and ten minutes full of logins that were refused (users names them), or of sessions too short for work where the outcome is encrypted
-- empty: nobody did where it was recorded; slow guesses stay below tries
-- false positives: monitoring that logs in, connection pools, programs with an old password
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip AND c.server_port = :server_port AND c.ts >= :minutes ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, GROUP_CONCAT(DISTINCT server_host ORDER BY server_host) AS server, server_port, FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 600 * 600) AS minutes,
       COUNT(*) AS tries, GROUP_CONCAT(DISTINCT username ORDER BY username) AS users, GROUP_CONCAT(DISTINCT error ORDER BY error) AS errors, NULL AS bytes_each, NULL AS seconds_each
FROM logins
WHERE ts BETWEEN :from AND :to AND outcome = 'failure' AND protocol <> 'kerberos_tgs'
  AND conn_id IN (SELECT conn_id FROM connections WHERE ts <= :to AND ts_end >= :from)
GROUP BY client_ip, server_ip, server_port, FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 600 * 600)
HAVING COUNT(*) >= :tries
UNION ALL
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host), server_ip, GROUP_CONCAT(DISTINCT server_host ORDER BY server_host), server_port, FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 600 * 600),
       COUNT(*), NULL, NULL, median(bytes), median(duration)
FROM connections
WHERE ts BETWEEN :from AND :to AND protocol = 'tcp' AND FIND_IN_SET(server_port, :ports) AND server_bytes > 0 AND conn_state NOT IN ('S0', 'REJ')
  AND conn_id NOT IN (SELECT conn_id FROM logins WHERE ts BETWEEN :from AND :to AND outcome <> 'unknown')
GROUP BY client_ip, server_ip, server_port, FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 600 * 600)
HAVING COUNT(*) >= :tries AND median(bytes) <= :most
ORDER BY tries DESC, client_ip, server_ip, minutes
