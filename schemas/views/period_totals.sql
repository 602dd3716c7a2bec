-- Every cell summed over all days: the whole period that the table covers.
-- `days` tells on how many days the cell was released; where it is less than that of the cell's
-- whole, the sum is a lower bound, for the other days were withheld or empty. There is no column of
-- users: somebody who came on two days would count twice.
-- Source: METRICS.md, "Measures".
SELECT
  MIN(window_start) AS window_start,
  breakdown,
  breakdown_value,
  facet,
  facet_value,
  SUM(conversations) AS conversations,
  SUM(sentiment_change_sixths) AS sentiment_change_sixths,
  SUM(sentiment_change_squares) AS sentiment_change_squares,
  COUNT(*) AS days,
  MAX(min_users) AS min_users,
  MAX(min_conversations) AS min_conversations,
  -- A sum over two versions of the classifier is of neither.
  IF(
    MIN(classifier_version) = MAX(classifier_version), MAX(classifier_version), NULL
  ) AS classifier_version
FROM `{dataset}.aggregates_latest`
WHERE granularity = 'day'
GROUP BY breakdown, breakdown_value, facet, facet_value
