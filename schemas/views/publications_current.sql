-- The current publication of each window: its largest version, unless that was withdrawn. A row
-- appears when all rows of the publication are written.
-- Source: schemas/published.py.
WITH ranked AS (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY window_kind, window_start, window_end ORDER BY version DESC, attempt DESC
    ) AS age
  FROM `{dataset}.publications`
)

SELECT * EXCEPT (age)
FROM ranked
WHERE age = 1 AND status = 'committed'
