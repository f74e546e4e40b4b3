-- title: Rare TLS clients
-- question: Which program speaks TLS to the outside in a way that hardly any other machine's does?
-- severity: medium
-- techniques: T1573.002
-- references: https://attack.mitre.org/techniques/T1573/002/
-- reads: tls
-- parameter: clients int 1: most machines with such a fingerprint
-- parameter: least int 5: least machines that were seen at all, below which nothing is rare
-- result: each row is a fingerprint (JA4) and the machine that has it
-- empty: each fingerprint is that of several machines, or too few machines were seen
-- false positives: a program one person uses, a browser of another version
-- packets: SELECT p.ts, p.info FROM tls t JOIN packets p USING (conn_id) WHERE t.ja4 = :ja4 ORDER BY p.ts LIMIT 1000
SELECT MIN(client_ip) AS client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, ja4, COUNT(*) AS handshakes,
       COUNT(DISTINCT server_ip) AS servers, MIN(server_name) AS a_server, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM tls
WHERE ts BETWEEN :from AND :to AND ja4 IS NOT NULL AND NOT is_private(server_ip)
  AND (SELECT COUNT(DISTINCT client_ip) FROM tls WHERE ts BETWEEN :from AND :to) >= :least
GROUP BY ja4
HAVING COUNT(DISTINCT client_ip) <= :clients
ORDER BY COUNT(*) DESC, ja4
