-- title: Program put on another machine and run there
-- question: Who wrote a file to an administrative share of a machine and then had it make, change or start a service or a task?
-- severity: high
-- techniques: T1021.002, T1569.002, T1053.005, T1570
-- references: https://attack.mitre.org/techniques/T1021/002/, https://attack.mitre.org/techniques/T1569/002/
-- reads: files, rpc
-- key: conn_id, name
-- parameter: within interval 10 MINUTE: how long after it was written
-- parameter: ignore text : addresses of machines that manage others, comma-joined
-- result: each row is a file, who wrote it where, and what was called then
-- empty: nobody did where files and calls were seen; in encrypted SMB neither is
-- false positives: tools that roll out software, administrators
-- packets: SELECT ts, info FROM packets WHERE conn_id = :conn_id ORDER BY ts LIMIT 1000
SELECT f.ts, f.client_ip, MIN(f.client_host) AS client_host, f.server_ip, MIN(f.server_host) AS server_host, MAX(f.username) AS username, f.share, f.name, f.bytes_written,
       GROUP_CONCAT(DISTINCT r.operation ORDER BY r.operation) AS operations, MIN(r.ts) AS called, f.conn_id
FROM files f JOIN rpc r ON r.client_ip = f.client_ip AND r.server_ip = f.server_ip AND r.ts BETWEEN f.ts AND f.ts + :within
WHERE f.ts BETWEEN :from AND :to AND r.ts >= :from AND NOT FIND_IN_SET(f.client_ip, REPLACE(:ignore, ' ', ''))
  AND (f.share = 'admin$' OR f.share LIKE '_$') AND f.bytes_written > 0
  AND r.operation IN ('CreateServiceW', 'CreateServiceA', 'CreateServiceWOW64W', 'CreateServiceWOW64A', 'ChangeServiceConfigW', 'ChangeServiceConfigA', 'StartServiceW', 'StartServiceA',
                      'SchRpcRegisterTask', 'SchRpcRun', 'NetrJobAdd')
GROUP BY f.ts, f.client_ip, f.server_ip, f.share, f.name, f.bytes_written, f.conn_id
ORDER BY f.ts, f.conn_id, f.name
