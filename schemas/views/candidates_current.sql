-- The current candidates for judging of each hour in the append-only table `candidates`: one row for
-- each generation that counted the hour. As in counts_current, the newest generation of a batch
-- replaces what a stream counted, and within a generation and day only the largest snapshot is
-- current, and within it the largest revision of each hour.
-- Source: schemas/judged.py; ARCHITECTURE.md, "A small sample is judged".
WITH scoped AS (
  SELECT
    *,
    TIMESTAMP_TRUNC(window_start, DAY) AS day
  FROM `{restricted}.candidates`
),

ranked AS (
  SELECT
    *,
    MAX(IF(origin = 'batch', generation, NULL)) OVER (PARTITION BY day) AS newest_batch,
    MAX(snapshot) OVER (PARTITION BY day, origin, generation) AS newest_snapshot,
    ROW_NUMBER() OVER (
      PARTITION BY window_start, origin, generation, snapshot
      ORDER BY revision DESC
    ) AS age
  FROM scoped
)

SELECT * EXCEPT (day, newest_batch, newest_snapshot, age)
FROM ranked
WHERE
  age = 1
  AND snapshot = newest_snapshot
  AND (newest_batch IS NULL OR (origin = 'batch' AND generation = newest_batch))
