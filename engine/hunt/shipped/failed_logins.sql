-- title: Many short sessions
-- question: Who tries to log in again and again?
-- severity: high
-- techniques: T1110
-- references: https://attack.mitre.org/techniques/T1110/
-- reads: connections
-- parameter: ports text 21,22,23,110,143,389,445,993,995,1433,3306,3389,5432,5900,5985: ports of logins, comma-joined
-- parameter: tries int 20: least sessions with one server within ten minutes
-- parameter: most int 20000: most bytes a session may have, so that it looks like a failure
-- result: each row is a pair and ten minutes full of sessions too short for work
-- empty: nobody did where it was recorded; slow guesses stay below tries
-- false positives: monitoring that logs in, connection pools
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip AND c.server_port = :server_port AND c.ts >= :minutes ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, GROUP_CONCAT(DISTINCT server_host ORDER BY server_host) AS server, server_port, FROM_UNIXTIME(FLOOR(UNIX_TIMESTAMP(ts) / 600) * 600) AS minutes,
       COUNT(*) AS sessions, median(bytes) AS bytes_each, median(duration) AS seconds_each
FROM connections
WHERE ts BETWEEN :from AND :to AND protocol = 'tcp' AND FIND_IN_SET(server_port, :ports) AND server_bytes > 0 AND conn_state NOT IN ('S0', 'REJ')
GROUP BY client_ip, server_ip, server_port, FROM_UNIXTIME(FLOOR(UNIX_TIMESTAMP(ts) / 600) * 600)
HAVING COUNT(*) >= :tries AND median(bytes) <= :most
ORDER BY COUNT(*) DESC, client_ip, server_ip, minutes
