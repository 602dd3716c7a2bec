-- Fails if records were lost. In the stream's newest run, every record that was read more than
-- ${ledger_grace_min} minutes ago must have an outcome by now. While events come in, a loss shows once it
-- is larger than the number of records read in that time. When they pause, a single record shows.
-- Source: transforms/balance.py, FATES.
WITH stream AS (
  SELECT MAX(run) AS run
  FROM `${restricted}.ledger`
  WHERE origin = 'stream'
),

written AS (
  SELECT
    l.revision,
    SUM(IF(l.account = 'read', l.records, 0)) AS read,
    SUM(
      IF(
        l.account IN (
          'counted', 'duplicate', 'sampled', 'system_turn', 'late', 'dead_letter', 'out_of_range'
        ),
        l.records, 0
      )
    ) AS met
  FROM (
    SELECT DISTINCT run, account, reason, records, revision FROM `${restricted}.ledger`
  ) AS l
  INNER JOIN stream AS s ON l.run = s.run
  GROUP BY l.revision
),

sides AS (
  SELECT
    MAX(
      IF(
        revision <= UNIX_MICROS(CURRENT_TIMESTAMP()) - ${ledger_grace_min} * 60000000,
        read, 0
      )
    ) AS read_before,
    MAX(met) AS met_by_now
  FROM written
)

SELECT
  IF(
    read_before > met_by_now,
    ERROR(
      CONCAT(
        'the ledger does not balance: ', CAST(read_before - met_by_now AS STRING),
        ' records were read and have no outcome'
      )
    ),
    'balances'
  ) AS ledger
FROM sides
