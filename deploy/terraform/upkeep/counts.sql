-- Deletes superseded rows of `counts`, once nothing changes them any more: those of windows that ended
-- ${settled_days} days ago or earlier, which is longer than a stream keeps its state. The view
-- counts_current shows the same rows before and after.
-- Source: schemas/views/counts_current.sql.
DELETE FROM `${restricted}.counts` AS c
WHERE
  -- The first condition picks the partitions.
  c.window_start < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL ${settled_days} DAY)
  AND c.window_end <= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL ${settled_days} DAY)
  AND NOT EXISTS (
    SELECT 1
    FROM `${restricted}.counts_current` AS now
    WHERE
      c.window_kind = now.window_kind
      AND c.window_start = now.window_start
      AND c.window_end = now.window_end
      AND c.breakdown = now.breakdown
      AND c.breakdown_value = now.breakdown_value
      AND c.origin = now.origin
      AND c.generation = now.generation
      AND c.snapshot = now.snapshot
      AND c.revision = now.revision
  )
