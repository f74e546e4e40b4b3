-- title: Amplification
-- question: Which server of ours answers forged questions with much more than was asked, or who of us is drowned by such answers?
-- severity: high
-- techniques: T1498.002
-- references: https://attack.mitre.org/techniques/T1498/002/
-- reads: connections
-- key: client_ip, server_port, direction
-- parameter: ratio number 10: how many times more is answered than was asked
-- parameter: least int 1000000: least bytes answered
-- result: each row is a service over UDP and the address its answers go to
-- empty: nobody did where it was recorded
-- false positives: large downloads over QUIC are left out by their port
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_port = :server_port AND c.protocol = 'udp' ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_port, MAX(service) AS service, direction, COUNT(DISTINCT server_ip) AS servers, COUNT(*) AS connections,
       SUM(client_bytes) AS asked, SUM(server_bytes) AS answered, MIN(ts) AS first_seen, MAX(ts_end) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND protocol = 'udp' AND server_port IN (17, 19, 53, 69, 111, 123, 137, 161, 389, 427, 520, 1434, 1900, 3283, 3702, 5093, 5353, 5683, 11211)
  AND direction IN ('inbound', 'outbound')
GROUP BY client_ip, server_port, direction
HAVING SUM(server_bytes) >= :least AND SUM(server_bytes) >= :ratio * COALESCE(SUM(client_bytes), 0)
ORDER BY SUM(server_bytes) DESC, client_ip, server_port
