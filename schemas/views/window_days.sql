-- The days in each window of several days, with a row per window and day. Only days on which
-- something was released count. `trailing_7_days` and `trailing_28_days` are the 7 and the 28 days
-- that end with `last_day`. Every day ends one of each. A window starts at `window_start`, even if
-- the table starts later. `period` is all days.
-- No window is left out because it is incomplete. At the start of the table, and where days were
-- withheld or lost, a window has fewer days. The views of measures say how many (`days`,
-- `whole_days`). Windows overlap, so never add up their counts.
-- Source: docs/metrics.md, "Measures".
WITH days AS (
  SELECT DISTINCT window_start AS day_start
  FROM `{dataset}.aggregates_latest`
  WHERE granularity = 'day'
),

lengths AS (
  SELECT 'trailing_7_days' AS granularity, 7 AS length
  UNION ALL
  SELECT 'trailing_28_days' AS granularity, 28 AS length
)

SELECT
  n.granularity,
  TIMESTAMP_SUB(e.day_start, INTERVAL n.length - 1 DAY) AS window_start,
  DATE(e.day_start) AS last_day,
  d.day_start
FROM days AS e
CROSS JOIN lengths AS n
INNER JOIN days AS d
  ON
    d.day_start <= e.day_start
    AND d.day_start > TIMESTAMP_SUB(e.day_start, INTERVAL n.length DAY)
UNION ALL
SELECT
  'period' AS granularity,
  MIN(day_start) OVER () AS window_start,
  DATE(MAX(day_start) OVER ()) AS last_day,
  day_start
FROM days
