-- Deletes superseded rows of `candidates`, as upkeep/counts.sql does with those of `counts`: those of hours
-- that ended ${settled_days} days ago or earlier. The view candidates_current shows the same rows before and
-- after.
-- Source: schemas/views/candidates_current.sql.
DELETE FROM `${restricted}.candidates` AS c
WHERE
  -- The first condition picks the partitions.
  c.window_start < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL ${settled_days} DAY)
  AND c.window_end <= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL ${settled_days} DAY)
  AND NOT EXISTS (
    SELECT 1
    FROM `${restricted}.candidates_current` AS now
    WHERE
      c.window_start = now.window_start
      AND c.origin = now.origin
      AND c.generation = now.generation
      AND c.snapshot = now.snapshot
      AND c.revision = now.revision
  )
