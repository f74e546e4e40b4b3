-- title: Names made by a program
-- question: Who asks for many names that do not exist and look like chance?
-- severity: high
-- techniques: T1568.002
-- references: https://attack.mitre.org/techniques/T1568/002/
-- reads: dns
-- key: client_ip
-- parameter: names int 15: least domains that do not exist
-- parameter: chance number 3: least entropy of their first label, in bits a character, in the middle
-- result: each machine with the number of domains that do not exist and the middle entropy of their labels
-- empty: nobody asked for such names where answers were recorded
-- false positives: browsers that test for a captive portal ask for three or so; spam filters that look up hashes
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM dns WHERE client_ip = :client_ip AND rcode = 'NXDOMAIN') ORDER BY ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, COUNT(DISTINCT registered_domain(query)) AS domains, COUNT(*) AS queries,
       median(entropy(SUBSTRING_INDEX(registered_domain(query), '.', 1))) AS chance, MIN(query) AS example, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM dns
WHERE ts BETWEEN :from AND :to AND rcode = 'NXDOMAIN' AND registered_domain(query) IS NOT NULL AND CHAR_LENGTH(SUBSTRING_INDEX(registered_domain(query), '.', 1)) >= 8
GROUP BY client_ip
HAVING COUNT(DISTINCT registered_domain(query)) >= :names AND median(entropy(SUBSTRING_INDEX(registered_domain(query), '.', 1))) >= :chance
ORDER BY COUNT(DISTINCT registered_domain(query)) DESC, client_ip
