-- Deletes rows of `ledger`: superseded ones after two days, and whole runs that wrote nothing for
-- ${ledger_days} days. The view ledger_latest shows the same rows of all other runs.
-- A run's totals are written whole each time, so its newest rows stay while it runs.
-- Source: schemas/views/ledger_latest.sql.
DELETE FROM `${restricted}.ledger` AS l
WHERE
  -- BigQuery can't delete rows that were streamed within the last half hour.
  l.revision < UNIX_MICROS(TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 2 DAY))
  AND (
    EXISTS (
      SELECT 1
      FROM `${restricted}.ledger` AS newer
      WHERE
        l.run = newer.run
        AND l.account = newer.account
        AND l.reason = newer.reason
        AND l.revision < newer.revision
    )
    OR l.run IN (
      SELECT run
      FROM `${restricted}.ledger`
      GROUP BY run
      HAVING
        MAX(revision) < UNIX_MICROS(TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL ${ledger_days} DAY))
    )
  )
