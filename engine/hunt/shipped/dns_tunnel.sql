-- title: Tunnel through DNS
-- question: Who sends data in the names it asks for?
-- severity: high
-- techniques: T1071.004, T1048.003
-- references: https://attack.mitre.org/techniques/T1071/004/
-- reads: dns
-- key: client_ip, domain
-- parameter: names int 50: least different names below one domain
-- parameter: longest int 40: least length that one of ten such names has
-- result: each row is a machine and a domain, the most names first; bytes_asked is what the names could carry. Names that
--   have nothing in common but their length, as tools make them that ask a server directly, are one row without a domain
-- empty: nobody asked for so many long names below one domain where DNS was recorded
-- false positives: reputation services of virus scanners, content networks
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM dns WHERE client_ip = :client_ip AND registered_domain(query) = :domain) ORDER BY ts LIMIT 1000
WITH asked AS (
  SELECT client_ip, client_host, query, COALESCE(query_length, CHAR_LENGTH(query)) AS length, qtype, ts, registered_domain(query) AS domain
  FROM dns
  WHERE ts BETWEEN :from AND :to AND query NOT LIKE '%.arpa')
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, domain, COUNT(DISTINCT query) AS names, COUNT(*) AS queries,
       quantile(length, 0.9) AS long_ones, SUM(length) AS bytes_asked, GROUP_CONCAT(DISTINCT qtype ORDER BY qtype) AS types,
       MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM asked
WHERE domain IS NOT NULL
GROUP BY client_ip, domain
HAVING COUNT(DISTINCT query) >= :names AND quantile(length, 0.9) >= :longest
UNION ALL
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host), NULL, COUNT(DISTINCT query), COUNT(*),
       quantile(length, 0.9), SUM(length), GROUP_CONCAT(DISTINCT qtype ORDER BY qtype), MIN(ts), MAX(ts)
FROM asked
WHERE length >= :longest
GROUP BY client_ip
HAVING COUNT(DISTINCT query) >= :names AND COUNT(DISTINCT COALESCE(domain, query)) >= 0.8 * COUNT(DISTINCT query)
ORDER BY names DESC, client_ip, domain
