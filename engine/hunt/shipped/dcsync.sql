-- title: Secrets of the domain asked for as a domain controller does
-- question: Which machine that is no domain controller had the directory replicated to it?
-- severity: critical
-- techniques: T1003.006
-- references: https://attack.mitre.org/techniques/T1003/006/
-- reads: rpc, logins
-- key: client_ip, server_ip
-- parameter: controllers text : addresses of domain controllers that were not seen to answer as such, comma-joined
-- result: each machine that called DRSGetNCChanges and was never seen to answer as a domain controller does: calls of drsuapi, or with Kerberos tickets
-- empty: nobody did but domain controllers, where their traffic is mirrored
-- false positives: directory synchronisation (Entra Connect), domain controllers that nobody was seen to ask anything: name them in controllers
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM rpc WHERE client_ip = :client_ip AND server_ip = :server_ip AND interface = 'drsuapi') ORDER BY ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, GROUP_CONCAT(DISTINCT server_host ORDER BY server_host) AS server,
       GROUP_CONCAT(DISTINCT username ORDER BY username) AS users, COUNT(*) AS calls, COALESCE(SUM(status = 'ok'), 0) AS answered, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM rpc
WHERE ts BETWEEN :from AND :to AND interface = 'drsuapi' AND operation = 'DRSGetNCChanges'
  AND NOT FIND_IN_SET(client_ip, REPLACE(:controllers, ' ', ''))
  AND client_ip NOT IN (SELECT server_ip FROM rpc WHERE interface = 'drsuapi' AND status = 'ok' AND ts <= :to)
  AND client_ip NOT IN (SELECT server_ip FROM logins WHERE protocol IN ('kerberos_as', 'kerberos_tgs') AND outcome = 'success' AND ts <= :to)
GROUP BY client_ip, server_ip
ORDER BY MIN(ts), client_ip, server_ip
