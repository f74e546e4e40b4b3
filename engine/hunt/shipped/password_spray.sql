-- title: Password spraying
-- question: Who tries few passwords on many users?
-- severity: high
-- techniques: T1110.003, T1087.002
-- references: https://attack.mitre.org/techniques/T1110/003/
-- reads: logins
-- key: client_ip, hour
-- parameter: users int 10: least users that failed within an hour
-- parameter: each number 3: most tries a user, on the average
-- result: each row is a machine and an hour, the most users first; guessed are users it got in as in that hour. Errors tell users that do not exist from wrong passwords
-- empty: nobody did where logins are in clear: not inside TLS, SSH or encrypted SMB; failed_logins counts short sessions, too
-- false positives: proxies, mail gateways and terminal servers, behind which many people are
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM logins WHERE client_ip = :client_ip AND outcome = 'failure' AND ts >= :hour) ORDER BY ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 3600 * 3600) AS hour,
       COUNT(DISTINCT CASE WHEN outcome = 'failure' THEN username END) AS users, SUM(outcome = 'failure') AS failures,
       GROUP_CONCAT(DISTINCT CASE WHEN outcome = 'success' THEN username END ORDER BY username) AS guessed,
       GROUP_CONCAT(DISTINCT protocol ORDER BY protocol) AS protocols, GROUP_CONCAT(DISTINCT error ORDER BY error) AS errors, COUNT(DISTINCT server_ip) AS servers
FROM logins
WHERE ts BETWEEN :from AND :to AND outcome IN ('failure', 'success') AND username IS NOT NULL AND protocol NOT IN ('kerberos_tgs', 'kerberos_ap')
  AND conn_id IN (SELECT conn_id FROM connections WHERE ts <= :to AND ts_end >= :from)
GROUP BY client_ip, FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 3600 * 3600)
HAVING COUNT(DISTINCT CASE WHEN outcome = 'failure' THEN username END) >= :users
   AND SUM(outcome = 'failure') <= :each * COUNT(DISTINCT CASE WHEN outcome = 'failure' THEN username END)
ORDER BY COUNT(DISTINCT CASE WHEN outcome = 'failure' THEN username END) DESC, client_ip, hour
