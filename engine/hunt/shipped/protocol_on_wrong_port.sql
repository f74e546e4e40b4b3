-- title: Protocol on another's port
-- question: Who speaks HTTP or TLS on ports that are not theirs?
-- severity: medium
-- techniques: T1571
-- references: https://attack.mitre.org/techniques/T1571/
-- reads: http, tls
-- key: client_ip, server_ip, server_port, spoken
-- parameter: http_ports text 80,81,591,631,2869,3128,5985,8000,8008,8080,8081,8088,8888: ports of HTTP, comma-joined
-- parameter: tls_ports text 21,25,110,143,389,443,465,563,587,636,853,989,990,993,995,1433,3268,3269,3306,3389,4443,5061,5222,5223,5228,5269,5432,5986,6514,6697,8443,8883,9443: ports of TLS, comma-joined, those included where it begins in the middle (STARTTLS)
-- result: each row is a pair, the port and what was spoken there
-- empty: what was recognised was on its ports
-- false positives: administration of devices, proxies, programs with ports of their own
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip AND c.server_port = :server_port ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, server_port, spoken, MAX(name) AS name, COUNT(*) AS times,
       MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM (SELECT client_ip, client_host, server_ip, server_port, 'http' AS spoken, host AS name, ts FROM http
      WHERE ts BETWEEN :from AND :to AND NOT FIND_IN_SET(server_port, :http_ports)
      AND conn_id IN (SELECT conn_id FROM connections WHERE ts <= :to AND ts_end >= :from)
      UNION ALL
      SELECT client_ip, client_host, server_ip, server_port, 'tls', server_name, ts FROM tls
      WHERE ts BETWEEN :from AND :to AND protocol = 'tcp' AND NOT FIND_IN_SET(server_port, :tls_ports)
      AND conn_id IN (SELECT conn_id FROM connections WHERE ts <= :to AND ts_end >= :from)) seen
GROUP BY client_ip, server_ip, server_port, spoken
ORDER BY COUNT(*) DESC, client_ip, server_ip, server_port
