-- The published number of conversations of each cell, from the current publication of its window.
-- A cell without a row has too few users or conversations to be published.
-- Source: schemas/published.py; docs/privacy.md.
SELECT a.*
FROM `{dataset}.aggregates` AS a
INNER JOIN `{dataset}.publications_current` AS p
  ON a.publication = p.publication AND a.attempt = p.attempt
