-- title: Around an alert
-- question: What else did the two machines of this conversation do, an hour before and after?
-- severity: info
-- reads: connections
-- key: conn_id
-- parameter: community text ?: community id of the alert, as Suricata or Zeek gives it
-- parameter: around interval 1 HOUR: how long before and after
-- result: connections of the alert's client and its server, in order of time; of_alert marks the alert's own
-- empty: no conversation of that community id was recorded in this time
-- packets: SELECT ts, info FROM packets WHERE conn_id = :conn_id ORDER BY ts LIMIT 1000
WITH alert AS (SELECT client_ip, server_ip, ts, ts_end FROM connections WHERE ts BETWEEN :from AND :to AND community_id = :community)
SELECT DISTINCT c.ts, c.client_ip, c.client_host, c.server_ip, c.server_name, c.server_port, c.service, c.client_bytes, c.server_bytes,
       c.conn_state, c.community_id = :community AS of_alert, c.conn_id
FROM connections c JOIN alert a ON c.client_ip IN (a.client_ip, a.server_ip) OR c.server_ip = a.server_ip
WHERE c.ts BETWEEN a.ts - :around AND a.ts_end + :around
ORDER BY c.ts, c.conn_id
