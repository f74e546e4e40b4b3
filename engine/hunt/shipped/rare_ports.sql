-- title: Rare ports
-- question: Which ports outside does hardly anybody use?
-- severity: low
-- techniques: T1571
-- references: https://attack.mitre.org/techniques/T1571/
-- reads: connections
-- key: server_port, protocol
-- parameter: clients int 1: most machines that use such a port
-- parameter: least int 1000: least bytes that came back
-- result: each port of servers outside that so few machines use, where data came back
-- empty: each port outside is used by several machines
-- false positives: games, peer-to-peer programs, passive FTP
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_port = :server_port AND c.direction = 'outbound' ORDER BY p.ts LIMIT 1000
SELECT server_port, protocol, MIN(client_ip) AS client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, COUNT(DISTINCT server_ip) AS servers,
       COUNT(*) AS connections, SUM(client_bytes) AS sent, SUM(server_bytes) AS received, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND direction = 'outbound' AND server_bytes > 0 AND server_port > 0
  AND server_port NOT IN (22, 25, 53, 80, 110, 123, 143, 443, 465, 587, 853, 993, 995)
GROUP BY server_port, protocol
HAVING COUNT(DISTINCT client_ip) <= :clients AND SUM(server_bytes) >= :least
ORDER BY SUM(bytes) DESC, server_port
