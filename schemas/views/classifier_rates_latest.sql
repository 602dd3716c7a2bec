-- How often each version of the classifier errs, once a version, language and value: of the
-- append-only table `classifier_rates` the rows of the largest revision. Every run writes its
-- classifier's rates, so most rows repeat others; a write that was retried or repeated changes
-- nothing.
-- Source: schemas/tables.py, `CLASSIFIER_RATES`; transforms/estimation/rates.py.
WITH newest AS (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY classifier_version, language, facet, facet_value
      ORDER BY revision DESC
    ) AS age
  FROM `{dataset}.classifier_rates`
)

SELECT * EXCEPT (age)
FROM newest
WHERE age = 1
