-- title: What scanners found
-- question: Which machine that was scanned for a port then spoke with the scanner?
-- severity: high
-- techniques: T1046, T1190
-- references: https://attack.mitre.org/techniques/T1190/
-- reads: connections
-- key: conn_id
-- parameter: targets int 50: least machines one must have tried to be a scanner
-- parameter: least int 1000: least bytes the target sent back
-- result: each connection of a scanner that was answered with data
-- empty: nobody scanned, or nobody answered
-- packets: SELECT ts, info FROM packets WHERE conn_id = :conn_id ORDER BY ts LIMIT 1000
WITH scanners AS (
  SELECT client_ip, server_port, protocol
  FROM connections
  WHERE ts BETWEEN :from AND :to AND protocol IN ('tcp', 'udp') AND direction <> 'multicast' AND oriented_by <> 'service_port'
  GROUP BY client_ip, server_port, protocol
  HAVING COUNT(DISTINCT server_ip) >= :targets AND AVG(conn_state IN ('S0', 'REJ', 'SH', 'RSTOS0') OR COALESCE(server_bytes, 0) = 0) >= 0.5)
SELECT c.ts, c.client_ip, c.client_host, c.server_ip, c.server_host, c.server_port, c.protocol, c.service, c.client_bytes, c.server_bytes, c.duration, c.conn_id
FROM connections c JOIN scanners s ON c.client_ip = s.client_ip AND c.server_port = s.server_port AND c.protocol = s.protocol
WHERE c.ts BETWEEN :from AND :to AND c.server_bytes >= :least
ORDER BY c.ts, c.conn_id
