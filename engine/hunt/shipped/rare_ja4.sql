-- title: Rare TLS clients
-- question: Which program speaks TLS to the outside in a way that hardly any other machine's does?
-- severity: medium
-- techniques: T1573.002
-- references: https://attack.mitre.org/techniques/T1573/002/
-- reads: tls
-- key: client_ip, ja4
-- parameter: clients int 1: most machines with such a fingerprint
-- parameter: least int 5: least machines that were seen at all, below which nothing is rare
-- result: each row is a fingerprint (JA4) and the machine that has it
-- empty: each fingerprint is that of several machines, or too few machines were seen
-- false positives: a program one person uses, a browser of another version
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM tls WHERE ja4 = :ja4) ORDER BY ts LIMIT 1000
WITH said AS (
  SELECT ts, client_ip, client_host, server_ip, server_name, ja4
  FROM tls
  WHERE ts BETWEEN :from AND :to AND ja4 IS NOT NULL AND NOT is_private(server_ip)
    AND conn_id IN (SELECT conn_id FROM connections WHERE ts <= :to AND ts_end >= :from)),
rare AS (SELECT ja4 FROM said GROUP BY ja4 HAVING COUNT(DISTINCT client_ip) <= :clients)
SELECT s.client_ip, GROUP_CONCAT(DISTINCT s.client_host ORDER BY s.client_host) AS client, s.ja4, COUNT(*) AS handshakes,
       COUNT(DISTINCT s.server_ip) AS servers, MIN(s.server_name) AS a_server, MIN(s.ts) AS first_seen, MAX(s.ts) AS last_seen
FROM said s JOIN rare r ON s.ja4 = r.ja4
WHERE (SELECT COUNT(DISTINCT client_ip) FROM said) >= :least
GROUP BY s.client_ip, s.ja4
ORDER BY COUNT(*) DESC, s.client_ip, s.ja4
