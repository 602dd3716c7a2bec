-- How often each version of the classifier errs, with a row per version, language and value. These
-- are the rows of the largest revision in the append-only table `classifier_rates`. Every run
-- writes its classifier's rates, so most rows repeat others. A retried or repeated write changes
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
