-- title: Passwords in the clear
-- question: Who uses services that send passwords without encryption?
-- severity: medium
-- techniques: T1040, T1552
-- references: https://attack.mitre.org/techniques/T1040/
-- reads: connections
-- parameter: services text ftp,telnet,pop3,imap,rlogin,rsh,exec,login,shell,ldap,snmp: comma-joined
-- result: each row is a pair and service where data came back and nothing was recognised as encrypted
-- empty: nobody did where it was recorded
-- false positives: STARTTLS makes a connection encrypted, which is left out where packets were seen; anonymous LDAP and SNMP
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip AND c.server_port = :server_port ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, COALESCE(MAX(server_name), MAX(server_host)) AS server, service, server_port, direction,
       COUNT(*) AS connections, SUM(bytes) AS bytes, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND FIND_IN_SET(service, :services) AND server_bytes > 0 AND conn_state NOT IN ('S0', 'REJ') AND COALESCE(visibility, 'clear') <> 'encrypted'
GROUP BY client_ip, server_ip, service, server_port, direction
ORDER BY COUNT(*) DESC, client_ip, server_ip
