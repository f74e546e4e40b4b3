-- title: Odd user agents
-- question: Which program asks over HTTP by a user agent that hardly any other machine has, or by none?
-- severity: low
-- techniques: T1071.001
-- references: https://attack.mitre.org/techniques/T1071/001/
-- reads: http
-- key: client_ip, user_agent
-- parameter: clients int 1: most machines with such a user agent
-- parameter: least int 3: least machines that were seen at all, below which only requests without a user agent are odd
-- result: each row is a machine and a user agent; NULL is a request without one
-- empty: each user agent is that of several machines, or too few machines were seen; HTTPS is not seen
-- false positives: tools of administrators, updaters of one device
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM http WHERE client_ip = :client_ip AND user_agent <=> :user_agent) ORDER BY ts LIMIT 1000
WITH asked AS (
  SELECT ts, client_ip, client_host, server_ip, host, uri, user_agent
  FROM http
  WHERE ts BETWEEN :from AND :to AND method IS NOT NULL AND NOT is_private(server_ip)
    AND conn_id IN (SELECT conn_id FROM connections WHERE ts <= :to AND ts_end >= :from)),
rare AS (SELECT user_agent FROM asked GROUP BY user_agent HAVING user_agent IS NULL OR COUNT(DISTINCT client_ip) <= :clients)
SELECT a.client_ip, GROUP_CONCAT(DISTINCT a.client_host ORDER BY a.client_host) AS client, a.user_agent, COUNT(*) AS requests,
       COUNT(DISTINCT a.server_ip) AS servers, MIN(a.host) AS a_host, MIN(a.uri) AS a_uri, MIN(a.ts) AS first_seen, MAX(a.ts) AS last_seen
FROM asked a JOIN rare r ON a.user_agent <=> r.user_agent
WHERE a.user_agent IS NULL OR (SELECT COUNT(DISTINCT client_ip) FROM asked) >= :least
GROUP BY a.client_ip, a.user_agent
ORDER BY COUNT(*) DESC, a.client_ip, a.user_agent
