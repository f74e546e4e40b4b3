-- title: Tickets without proof
-- question: Who got a ticket of a user without proving to be that user, so that the user's password can be cracked?
-- severity: high
-- techniques: T1558.004
-- references: https://attack.mitre.org/techniques/T1558/004/
-- reads: logins
-- key: client_ip, server_ip, username, domain
-- result: each row is a user that needs no proof (pre-authentication), and a machine that used it
-- empty: nobody did where questions to a KDC were recorded
-- false positives: realms that ask nobody for proof, which is MIT Kerberos' default: there each login is one
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM logins WHERE client_ip = :client_ip AND username = :username AND protocol = 'kerberos_as') ORDER BY ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, username, domain,
       GROUP_CONCAT(DISTINCT reply_etype ORDER BY reply_etype) AS etypes, COUNT(DISTINCT ts) AS tickets, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM logins
WHERE ts BETWEEN :from AND :to AND protocol = 'kerberos_as' AND outcome = 'success' AND preauth = 0 AND username NOT LIKE 'wellknown/%'
GROUP BY client_ip, server_ip, username, domain
ORDER BY COUNT(DISTINCT ts) DESC, client_ip, username
