-- The current ledger: each run's totals, with a row per account and reason. These are the rows of
-- the largest revision in the append-only table `ledger`. A retried or repeated write changes
-- nothing.
-- For a stream, `read` minus the sum of the outcomes is what is under way.
-- Source: schemas/tables.py, `LEDGER`; transforms/balance.py.
WITH newest AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY run, account, reason ORDER BY revision DESC) AS age
  FROM `{restricted}.ledger`
)

SELECT * EXCEPT (age)
FROM newest
WHERE age = 1
