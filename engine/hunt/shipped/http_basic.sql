-- title: Passwords over HTTP
-- question: Who logged in over HTTP, where everybody on the way reads the password?
-- severity: medium
-- techniques: T1040, T1552
-- references: https://attack.mitre.org/techniques/T1040/
-- reads: http
-- key: client_ip, server_ip, username
-- result: each row is a user, from where and to which server; the password is not kept
-- empty: nobody did by Basic credentials; forms are not looked into
-- false positives: devices that know nothing else
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM http WHERE client_ip = :client_ip AND server_ip = :server_ip AND username = :username) ORDER BY ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, MIN(host) AS host, username, COUNT(*) AS requests,
       MAX(status) AS last_status, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM http
WHERE ts BETWEEN :from AND :to AND username IS NOT NULL
  AND conn_id IN (SELECT conn_id FROM connections WHERE ts <= :to AND ts_end >= :from)
GROUP BY client_ip, server_ip, username
ORDER BY COUNT(*) DESC, client_ip, server_ip, username
