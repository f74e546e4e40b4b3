-- title: Services and tasks made from afar
-- question: Who made, changed or started services or tasks on other machines?
-- severity: medium
-- techniques: T1543.003, T1569.002, T1053.002, T1053.005
-- references: https://attack.mitre.org/techniques/T1569/002/, https://attack.mitre.org/techniques/T1053/005/
-- reads: rpc
-- key: client_ip, server_ip
-- parameter: ignore text : addresses of machines that manage others, comma-joined
-- result: each pair of machines with the operations that were called, those with the fewest calls first
-- empty: nobody called them where calls were seen; in encrypted SMB none is
-- false positives: management of the domain, inventories
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM rpc WHERE client_ip = :client_ip AND server_ip = :server_ip) ORDER BY ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, GROUP_CONCAT(DISTINCT server_host ORDER BY server_host) AS server,
       GROUP_CONCAT(DISTINCT username ORDER BY username) AS users, GROUP_CONCAT(DISTINCT operation ORDER BY operation) AS operations, COUNT(*) AS calls,
       COALESCE(SUM(status = 'ok'), 0) AS answered, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM rpc
WHERE ts BETWEEN :from AND :to AND NOT FIND_IN_SET(client_ip, REPLACE(:ignore, ' ', ''))
  AND operation IN ('CreateServiceW', 'CreateServiceA', 'CreateServiceWOW64W', 'CreateServiceWOW64A', 'ChangeServiceConfigW', 'ChangeServiceConfigA', 'StartServiceW', 'StartServiceA',
                    'SchRpcRegisterTask', 'SchRpcRun', 'NetrJobAdd')
GROUP BY client_ip, server_ip
ORDER BY COUNT(*), client_ip, server_ip
