-- title: TLS without a name
-- question: Who opens encrypted connections to servers outside without saying a name?
-- severity: medium
-- techniques: T1573
-- references: https://attack.mitre.org/techniques/T1573/
-- reads: connections
-- key: client_ip, server_ip, server_port
-- parameter: ignore text ssh: services that say no name, comma-joined
-- result: each row is a pair; browsers always say a name, malware and some tools do not
-- empty: every client said a name, or what was seen of it was cut off
-- false positives: VPNs, phones' push services, programs that connect by address
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip AND c.server_port = :server_port ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, server_port, MAX(server_name) AS resolved_name, COUNT(*) AS connections,
       SUM(client_bytes) AS sent, SUM(server_bytes) AS received, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND direction = 'outbound' AND protocol = 'tcp' AND visibility = 'encrypted' AND conn_state <> 'S0'
  AND server_name IS NULL AND NOT FIND_IN_SET(COALESCE(service, ''), :ignore)
GROUP BY client_ip, server_ip, server_port
ORDER BY SUM(bytes) DESC, client_ip, server_ip, server_port
