-- Every cell summed over the days of each window of several days (`window_days`): the seven and the
-- 28 days that end with each day, and the whole period that the table covers.
-- `days` tells on how many days the cell was released; where it is less than that of the cell's
-- whole, the sum is a lower bound, for the other days were withheld or empty. There is no column of
-- users: somebody who came on two days would count twice.
-- These are sums of what is published already, and tell nobody more than that.
-- Source: METRICS.md, "Measures".
SELECT
  w.window_start,
  w.granularity,
  w.last_day,
  a.breakdown,
  a.breakdown_value,
  a.facet,
  a.facet_value,
  SUM(a.conversations) AS conversations,
  SUM(a.sentiment_change_sixths) AS sentiment_change_sixths,
  SUM(a.sentiment_change_squares) AS sentiment_change_squares,
  COUNT(*) AS days,
  MAX(a.min_users) AS min_users,
  MAX(a.min_conversations) AS min_conversations,
  -- A sum over two versions of the classifier is of neither.
  IF(
    MIN(a.classifier_version) = MAX(a.classifier_version), MAX(a.classifier_version), NULL
  ) AS classifier_version
FROM `{dataset}.aggregates_latest` AS a
INNER JOIN `{dataset}.window_days` AS w ON a.window_start = w.day_start
WHERE a.granularity = 'day'
GROUP BY
  w.window_start, w.granularity, w.last_day,
  a.breakdown, a.breakdown_value, a.facet, a.facet_value
