-- How often each version of the classifier errs, with a row per version, language and value. These
-- are the rows of a version's largest revision in the append-only table `classifier_rates`. Every run
-- writes all supported rates of its classifier, so most rows repeat others. A rate that is no longer
-- supported is in no new row, and so it is not current. A retried or repeated write changes nothing.
-- Source: schemas/tables.py, `CLASSIFIER_RATES`; transforms/estimation/rates.py.
WITH aged AS (
  SELECT
    *,
    MAX(revision) OVER (PARTITION BY classifier_version) AS current_revision,
    ROW_NUMBER() OVER (
      PARTITION BY classifier_version, language, facet, facet_value
      ORDER BY revision DESC
    ) AS age
  FROM `{dataset}.classifier_rates`
)

SELECT * EXCEPT (age, current_revision)
FROM aged
WHERE age = 1 AND revision = current_revision
