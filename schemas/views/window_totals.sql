-- Every cell summed over the days of each window of several days (`window_days`): the 7 and the 28
-- days that end with each day, and the whole period of the table.
-- `days` is the number of days on which the cell was released. If the cell's whole was released on
-- more days, the sum is a lower bound, because on the other days the cell was withheld or empty.
-- There is no column for users: a user who came on two days would count twice.
-- These are sums of published figures, so they reveal nothing more.
-- Source: docs/metrics.md, "Measures".
SELECT
  w.window_start,
  w.granularity,
  w.last_day,
  a.breakdown,
  a.breakdown_value,
  a.facet,
  a.facet_value,
  SUM(a.conversations) AS conversations,
  SUM(a.sentiment_change_300ths) AS sentiment_change_300ths,
  SUM(a.sentiment_change_squares) AS sentiment_change_squares,
  COUNT(*) AS days,
  MAX(a.min_users) AS min_users,
  MAX(a.min_conversations) AS min_conversations,
  -- A sum over several versions of the classifier belongs to none of them.
  IF(
    MIN(a.classifier_version) = MAX(a.classifier_version), MAX(a.classifier_version), NULL
  ) AS classifier_version
FROM `{dataset}.aggregates_latest` AS a
INNER JOIN `{dataset}.window_days` AS w ON a.window_start = w.day_start
WHERE a.granularity = 'day'
GROUP BY
  w.window_start, w.granularity, w.last_day,
  a.breakdown, a.breakdown_value, a.facet, a.facet_value
