-- The figures, from the current publication of each window: shares and means with their 95 %
-- intervals. All other views of measures read from here.
-- Source: schemas/published.py; transforms/estimation; docs/metrics.md, "Estimates carry intervals".
SELECT f.*
FROM `{dataset}.figures` AS f
INNER JOIN `{dataset}.publications_current` AS p
  ON f.publication = p.publication AND f.attempt = p.attempt
