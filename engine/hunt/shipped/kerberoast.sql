-- title: Kerberoasting
-- question: Who asked for tickets of many services that are cracked fast?
-- severity: high
-- techniques: T1558.003
-- references: https://attack.mitre.org/techniques/T1558/003/
-- reads: logins
-- key: client_ip, username, domain, hour
-- parameter: services int 3: least different services within an hour
-- parameter: machines text host,cifs,ldap,gc,dns,rpc,rpcss,termsrv,wsman,restrictedkrbhost: kinds of services that are accounts of machines, whose passwords are long, comma-joined; a logon asks for several
-- result: each row is a user at a machine and an hour full of tickets encrypted with RC4 or DES, which are made with passwords of the services' accounts
-- empty: nobody did where questions to a KDC were recorded; tickets with AES are cracked as well, slowly, and are left out
-- false positives: domains whose services have no better keys: raise services
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM logins WHERE client_ip = :client_ip AND protocol = 'kerberos_tgs' AND ts >= :hour) ORDER BY ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, username, domain, FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 3600 * 3600) AS hour,
       COUNT(DISTINCT service) AS services, GROUP_CONCAT(DISTINCT ticket_etype ORDER BY ticket_etype) AS etypes, GROUP_CONCAT(DISTINCT service ORDER BY service) AS which
FROM logins
WHERE ts BETWEEN :from AND :to AND protocol = 'kerberos_tgs' AND outcome = 'success' AND (ticket_etype LIKE 'rc4-%' OR ticket_etype LIKE 'des-%')
  AND service NOT LIKE 'krbtgt/%' AND service NOT LIKE '%$'
  AND NOT FIND_IN_SET(LOWER(SUBSTRING_INDEX(service, '/', 1)), :machines)
GROUP BY client_ip, username, domain, FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 3600 * 3600)
HAVING COUNT(DISTINCT service) >= :services
ORDER BY COUNT(DISTINCT service) DESC, client_ip, username, hour
