-- Fails if no backfill has succeeded in the last ${backfill_age_hours} hours. A bounded run writes its
-- ledger once, after it has balanced.
-- Source: transforms/balance.py.
SELECT
  IF(
    COALESCE(MAX(run), 0)
    < UNIX_MICROS(CURRENT_TIMESTAMP()) - ${backfill_age_hours} * 3600000000,
    ERROR('no backfill has succeeded in ${backfill_age_hours} hours'),
    'succeeded'
  ) AS backfill
FROM `${restricted}.ledger`
WHERE origin = 'batch'
