-- The current version of each cell of the append-only table `aggregates`.
-- Only one snapshot of a UTC day is current: the largest of a batch, or the stream's largest if no
-- batch has counted the day. So a backfill supersedes the stream, and no later release of the
-- stream undoes it. Within the snapshot, the largest revision of each cell is current. A version
-- without counts withdraws its cell. A retried or repeated write changes nothing.
-- Source: schemas/tables.py, columns `origin`, `snapshot` and `revision`; ARCHITECTURE.md, "Rows
-- are versions".
WITH newest AS (
  SELECT
    *,
    DENSE_RANK() OVER (
      PARTITION BY DATE(window_start)
      ORDER BY IF(origin = 'batch', 0, 1), snapshot DESC
    ) AS snapshot_age,
    ROW_NUMBER() OVER (
      PARTITION BY
        window_start, granularity, breakdown, breakdown_value, facet, facet_value, origin, snapshot
      ORDER BY revision DESC
    ) AS age
  FROM `{dataset}.aggregates`
)

SELECT * EXCEPT (snapshot_age, age)
FROM newest
WHERE snapshot_age = 1 AND age = 1 AND conversations IS NOT NULL
