-- The current sample of each day in the append-only table `sample`: the rows of the day's largest
-- attempt. One load job writes all rows of an attempt, so a sample is whole.
-- Source: schemas/judged.py, `SAMPLE`.
WITH ranked AS (
  SELECT
    *,
    MAX(attempt) OVER (PARTITION BY day) AS newest
  FROM `{restricted}.sample`
)

SELECT * EXCEPT (newest)
FROM ranked
WHERE attempt = newest
