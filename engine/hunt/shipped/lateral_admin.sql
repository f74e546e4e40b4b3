-- title: Administration from machine to machine
-- question: Who administers other machines inside, over SSH, RDP, SMB, WinRM, RPC or VNC?
-- severity: medium
-- techniques: T1021
-- references: https://attack.mitre.org/techniques/T1021/
-- reads: connections
-- key: client_ip
-- parameter: ports text 22,135,445,3389,5900,5985,5986: ports of administration, comma-joined
-- parameter: peers int 3: least machines that one reached
-- result: each machine with the number it reached and by which ports; people's machines should reach few
-- empty: nobody reached so many inside, or traffic inside is not mirrored: look at direction = 'internal' in connections
-- false positives: administrators' machines, backup and inventory servers, domain controllers as clients of each other
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.direction = 'internal' AND c.server_port IN (22, 135, 445, 3389, 5900, 5985, 5986) ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, COUNT(DISTINCT server_ip) AS reached, GROUP_CONCAT(DISTINCT server_port ORDER BY server_port) AS ports,
       COUNT(*) AS connections, SUM(bytes) AS bytes, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND direction = 'internal' AND protocol = 'tcp' AND FIND_IN_SET(server_port, :ports)
  AND conn_state IN ('SF', 'S1', 'S2', 'S3', 'RSTO', 'RSTR', 'OTH')
GROUP BY client_ip
HAVING COUNT(DISTINCT server_ip) >= :peers
ORDER BY COUNT(DISTINCT server_ip) DESC, client_ip
