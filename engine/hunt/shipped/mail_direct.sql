-- title: Mail past the mail servers
-- question: Which machines inside hand mail to many servers outside themselves?
-- severity: medium
-- techniques: T1071.003, T1048
-- references: https://attack.mitre.org/techniques/T1071/003/
-- reads: connections
-- key: client_ip
-- parameter: least int 5: least servers that were tried
-- parameter: ignore text : addresses of your mail servers, comma-joined
-- result: each machine that talked to so many servers' port 25, with how many there were: mail that is sent without end, or taken out
-- empty: nobody tried so many; who has one server outside is not told
-- false positives: mail servers: name them in ignore
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_port = 25 AND c.direction = 'outbound' ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, COUNT(DISTINCT server_ip) AS servers, COUNT(*) AS connections,
       SUM(service = 'smtp' AND conn_state = 'SF') AS talked, SUM(client_bytes) AS sent, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND server_port = 25 AND protocol = 'tcp' AND direction = 'outbound' AND NOT FIND_IN_SET(client_ip, REPLACE(:ignore, ' ', ''))
GROUP BY client_ip
HAVING COUNT(DISTINCT server_ip) >= :least
ORDER BY COUNT(DISTINCT server_ip) DESC, client_ip
