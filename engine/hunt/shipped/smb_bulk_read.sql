-- title: Much read from file servers
-- question: Who read much from file servers inside?
-- severity: medium
-- techniques: T1039
-- references: https://attack.mitre.org/techniques/T1039/
-- reads: connections
-- key: client_ip
-- parameter: least int 500000000: least bytes read over SMB or NFS in all
-- result: each machine with what it read, and from how many servers
-- empty: nobody read so much, or traffic inside is not mirrored
-- false positives: backups, builds, people who edit films
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_port IN (139, 445, 2049) ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, COUNT(DISTINCT server_ip) AS servers, COUNT(*) AS connections, SUM(server_bytes) AS fetched,
       SUM(client_bytes) AS sent, MIN(ts) AS first_seen, MAX(ts_end) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND direction = 'internal' AND protocol = 'tcp' AND server_port IN (139, 445, 2049)
GROUP BY client_ip
HAVING SUM(server_bytes) >= :least
ORDER BY SUM(server_bytes) DESC, client_ip
