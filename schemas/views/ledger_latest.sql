-- The ledger as it stands: each run's totals, once an account and reason. Of the append-only table
-- `ledger` the rows of the largest revision; a write that was retried or repeated changes nothing.
-- Of a stream, `read` less the sum of the fates is what is under way.
-- Source: schemas/tables.py, `LEDGER`; transforms/ledger.py.
WITH newest AS (
  SELECT
    *,
    ROW_NUMBER() OVER (PARTITION BY run, account, reason ORDER BY revision DESC) AS age
  FROM `{dataset}.ledger`
)

SELECT * EXCEPT (age)
FROM newest
WHERE age = 1
