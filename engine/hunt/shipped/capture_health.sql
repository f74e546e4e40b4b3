-- title: Health of the capture
-- question: What was lost, or not decoded, while it was recorded?
-- severity: info
-- techniques: T1562
-- reads: ops.coverage, ops.capture_loss
-- key: observer, reason, unit, ts
-- result: each row is a stretch of loss, or a time of a sensor with packets that were dropped or not decoded
-- empty: nothing was lost that is known of
-- packets: SELECT * FROM ops.coverage WHERE sensor = :observer ORDER BY ts
SELECT ts, ts_end, observer, reason, unit, lost
FROM ops.capture_loss
WHERE ts <= :to AND ts_end >= :from AND lost > 0
UNION ALL
SELECT ts, ts_end, sensor, CONCAT('not decoded: ', COALESCE(not_decoded, 'see ops.imports')), 'packets', undecoded
FROM ops.coverage
WHERE ts <= :to AND ts_end >= :from AND undecoded > 0
ORDER BY ts, observer, reason
