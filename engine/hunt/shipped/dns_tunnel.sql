-- title: Tunnel through DNS
-- question: Who sends data in the names it asks for?
-- severity: high
-- techniques: T1071.004, T1048.003
-- references: https://attack.mitre.org/techniques/T1071/004/
-- reads: dns
-- parameter: names int 50: least different names below one domain
-- parameter: longest int 40: least length of such a name, in the middle
-- result: each row is a machine and a domain, the most names first; bytes_asked is what the names could carry
-- empty: nobody asked for so many long names below one domain where DNS was recorded
-- false positives: reputation services of virus scanners, content networks
-- packets: SELECT p.ts, p.info FROM dns d JOIN packets p USING (conn_id) WHERE d.client_ip = :client_ip AND registered_domain(d.query) = :domain ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, registered_domain(query) AS domain, COUNT(DISTINCT query) AS names, COUNT(*) AS queries,
       median(query_length) AS length, SUM(query_length) AS bytes_asked, GROUP_CONCAT(DISTINCT qtype ORDER BY qtype) AS types,
       MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM (SELECT client_ip, client_host, query, COALESCE(query_length, CHAR_LENGTH(query)) AS query_length, qtype, ts
      FROM dns WHERE ts BETWEEN :from AND :to AND query NOT LIKE '%.arpa') asked
WHERE registered_domain(query) IS NOT NULL
GROUP BY client_ip, registered_domain(query)
HAVING COUNT(DISTINCT query) >= :names AND median(query_length) >= :longest
ORDER BY COUNT(DISTINCT query) DESC, client_ip, domain
