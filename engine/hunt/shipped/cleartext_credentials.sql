-- title: Passwords in the clear
-- question: Who uses services that send passwords without encryption?
-- severity: medium
-- techniques: T1040, T1552
-- references: https://attack.mitre.org/techniques/T1040/
-- reads: connections, logins
-- key: client_ip, server_ip, service, server_port
-- parameter: services text ftp,telnet,pop3,imap,rlogin,rsh,exec,login,shell,ldap,snmp: services whose connections count where no login was recognised, comma-joined
-- result: each row is a pair and service. Where users stand, their passwords were seen in clear; else data came back and nothing was recognised as encrypted
-- empty: nobody did where it was recorded; http_basic tells of HTTP
-- false positives: STARTTLS makes a connection encrypted, which is left out where packets were seen; anonymous LDAP, FTP and SNMP
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip AND c.server_port = :server_port ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, MAX(server_host) AS server, protocol AS service, server_port,
       GROUP_CONCAT(DISTINCT username ORDER BY username) AS users, COUNT(DISTINCT conn_id) AS connections, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM logins
WHERE ts BETWEEN :from AND :to AND cleartext AND protocol <> 'http_basic'
  AND conn_id IN (SELECT conn_id FROM connections WHERE ts <= :to AND ts_end >= :from)
GROUP BY client_ip, server_ip, protocol, server_port
UNION ALL
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host), server_ip, COALESCE(MAX(server_name), MAX(server_host)), service, server_port,
       NULL, COUNT(*), MIN(ts), MAX(ts)
FROM connections
WHERE ts BETWEEN :from AND :to AND FIND_IN_SET(service, :services) AND server_bytes > 0 AND conn_state NOT IN ('S0', 'REJ') AND COALESCE(visibility, 'clear') <> 'encrypted'
  AND conn_id NOT IN (SELECT conn_id FROM logins WHERE ts BETWEEN :from AND :to)
GROUP BY client_ip, server_ip, service, server_port
ORDER BY connections DESC, client_ip, server_ip
