-- Fails if nothing was published in the last ${publication_age_hours} hours. A new deployment has five
-- days until its first publication: a day is published two days after its end.
-- Source: schemas/published.py.
WITH newest AS (
  SELECT COALESCE(MAX(attempt), 0) AS attempt
  FROM `${dataset}.publications`
  WHERE status = 'committed'
),

first AS (
  SELECT MIN(run) AS run
  FROM `${restricted}.ledger`
)

SELECT
  IF(
    n.attempt < UNIX_MICROS(CURRENT_TIMESTAMP()) - ${publication_age_hours} * 3600000000
    AND f.run < UNIX_MICROS(CURRENT_TIMESTAMP()) - 5 * 24 * 3600000000,
    ERROR('nothing was published in the last ${publication_age_hours} hours'),
    'published'
  ) AS publication
FROM newest AS n
CROSS JOIN first AS f
