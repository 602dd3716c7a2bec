-- The cells that hold: of the append-only table `aggregates` the version of each cell that counts.
-- Of a UTC day only the largest snapshot holds (a backfill releases a whole new one); within it the
-- largest revision of each cell. A version without counts withdraws its cell. A write that was
-- retried or repeated changes nothing.
-- Source: schemas/tables.py, columns `snapshot` and `revision`; ARCHITECTURE.md, "Append and view".
WITH newest AS (
  SELECT
    *,
    MAX(snapshot) OVER (PARTITION BY DATE(window_start)) AS day_snapshot,
    ROW_NUMBER() OVER (
      PARTITION BY
        window_start, granularity, breakdown, breakdown_value, facet, facet_value, snapshot
      ORDER BY revision DESC
    ) AS age
  FROM `{dataset}.aggregates`
)

SELECT * EXCEPT (day_snapshot, age)
FROM newest
WHERE snapshot = day_snapshot AND age = 1 AND conversations IS NOT NULL
