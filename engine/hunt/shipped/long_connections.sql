-- title: Long connections
-- question: Which connections to the outside lasted longest?
-- severity: low
-- techniques: T1571, T1572
-- references: https://attack.mitre.org/techniques/T1572/
-- reads: connections
-- key: conn_id
-- parameter: longest interval 4 HOUR: how long is too long
-- result: each connection that leaves the network and lasted longer, the longest first
-- empty: none lasted that long; a connection that began before the recording has only the part that was seen
-- false positives: VPNs, push notifications, video conferences
-- packets: SELECT ts, info FROM packets WHERE conn_id = :conn_id ORDER BY ts LIMIT 1000
SELECT ts, duration, client_ip, client_host, server_ip, server_name, server_port, service, client_bytes, server_bytes, conn_id
FROM connections
WHERE ts BETWEEN :from AND :to AND direction = 'outbound' AND ts + :longest <= ts_end AND ts_end < '9999-01-01'
ORDER BY duration DESC, conn_id
