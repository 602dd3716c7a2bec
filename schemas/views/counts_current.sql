-- The current totals of each place in the append-only table `counts`: one row for each generation
-- that counted it. The generations of a stream add up. If a batch has counted the days of a window,
-- only its newest generation is current, so a backfill replaces what a stream counted.
-- Within a generation and day, only the largest snapshot is current, and within it the largest
-- revision of each place. A retried or repeated write changes nothing.
-- Source: schemas/counts.py; ARCHITECTURE.md, "Counts are running totals".
WITH scoped AS (
  SELECT
    *,
    IF(window_kind = 'hour', 'day', window_kind) AS scope,
    TIMESTAMP_TRUNC(window_start, DAY) AS scope_start,
    IF(window_kind IN ('hour', 'day'), NULL, window_end) AS scope_end
  FROM `{restricted}.counts`
),

ranked AS (
  SELECT
    *,
    MAX(IF(origin = 'batch', generation, NULL)) OVER (
      PARTITION BY scope, scope_start, scope_end
    ) AS newest_batch,
    MAX(snapshot) OVER (
      PARTITION BY scope, scope_start, scope_end, origin, generation
    ) AS newest_snapshot,
    ROW_NUMBER() OVER (
      PARTITION BY
        window_kind, window_start, window_end, breakdown, breakdown_value, origin, generation,
        snapshot
      ORDER BY revision DESC
    ) AS age
  FROM scoped
)

SELECT * EXCEPT (scope, scope_start, scope_end, newest_batch, newest_snapshot, age)
FROM ranked
WHERE
  age = 1
  AND snapshot = newest_snapshot
  AND (newest_batch IS NULL OR (origin = 'batch' AND generation = newest_batch))
