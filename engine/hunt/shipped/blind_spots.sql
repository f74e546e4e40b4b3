-- title: Blind spots
-- question: Which traffic is known less well than it looks: sampled, one-sided, cut, or never captured?
-- severity: info
-- techniques: T1562
-- reads: connections
-- key: sensor, seen_by, reason
-- result: each row is an observer and a reason, with the connections and bytes it concerns
-- empty: every connection was captured in both directions and whole
-- packets: SELECT * FROM ops.coverage WHERE sensor = :sensor
SELECT sensor, seen_by, reason, COUNT(*) AS connections, SUM(bytes) AS bytes, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM (SELECT sensor, seen_by, bytes, ts,
             CASE WHEN sampling_rate > 1 THEN 'sampled' WHEN packet_status <> 'available' THEN packet_status
                  WHEN visibility IN ('cut', 'one_sided') THEN visibility END AS reason
      FROM connections WHERE ts BETWEEN :from AND :to) seen
WHERE reason IS NOT NULL
GROUP BY sensor, seen_by, reason
ORDER BY SUM(bytes) DESC, sensor, seen_by, reason
