-- Fails if no backfill has ended well within ${backfill_age_hours} hours. A bounded run writes its
-- ledger once, when it has balanced.
-- Source: transforms/balance.py.
SELECT
  IF(
    COALESCE(MAX(run), 0)
    < UNIX_MICROS(CURRENT_TIMESTAMP()) - ${backfill_age_hours} * 3600000000,
    ERROR('no backfill has ended well in ${backfill_age_hours} hours'),
    'ended well'
  ) AS backfill
FROM `${dataset}.ledger`
WHERE origin = 'batch'
