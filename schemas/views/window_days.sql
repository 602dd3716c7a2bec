-- Which days make up each window of several days: a row a window and day in it. A day is one on
-- which anything was released. `trailing_7_days` and `trailing_28_days` are the seven and the 28
-- days that end with a day (`last_day`): there is one for each day, and it begins at `window_start`
-- whether or not there is anything so early. `period` is all days.
-- A window is never left out for being incomplete: at the beginning of the table, and where days
-- were withheld or lost, it has fewer days, and the views of measures say how many (`days`,
-- `whole_days`). Windows overlap, so their counts must never be added up.
-- Source: METRICS.md, "Measures".
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
