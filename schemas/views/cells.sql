-- Every cell that holds, an hour, a day, and (granularity `period`) all days together; what the
-- views of measures read. Two things are made uniform: users of a period are null (they can't be
-- added up), and the lengths of all conversations, kept as the breakdown `length`, are also shown
-- as the facet `length` of the breakdown `overall`, as every other breakdown has them.
-- `is_exhaustive` says that nothing was withheld (thresholds of 1): a missing cell is a true zero.
-- Source: transforms/tally.py, `cells_of`.
WITH counted AS (
  SELECT
    window_start, granularity, breakdown, breakdown_value, facet, facet_value,
    conversations, users, sentiment_change_sixths, sentiment_change_squares,
    1 AS days, min_users, min_conversations, classifier_version
  FROM `{dataset}.aggregates_latest`
  UNION ALL
  SELECT
    MIN(window_start) OVER () AS window_start, 'period' AS granularity,
    breakdown, breakdown_value, facet, facet_value,
    conversations, CAST(NULL AS INT64) AS users, sentiment_change_sixths, sentiment_change_squares,
    days, min_users, min_conversations, classifier_version
  FROM `{dataset}.period_totals`
),

uniform AS (
  SELECT * FROM counted
  UNION ALL
  SELECT
    window_start, granularity, 'overall' AS breakdown, 'all' AS breakdown_value,
    'length' AS facet, breakdown_value AS facet_value,
    conversations, users, sentiment_change_sixths, sentiment_change_squares,
    days, min_users, min_conversations, classifier_version
  FROM counted
  WHERE breakdown = 'length' AND facet = 'all'
)

SELECT *, min_users = 1 AND min_conversations = 1 AS is_exhaustive
FROM uniform
