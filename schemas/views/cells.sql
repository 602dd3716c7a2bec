-- Every cell that holds, an hour, a day, and over several days: the seven (granularity
-- `trailing_7_days`) and the 28 (`trailing_28_days`) that end with `last_day`, and all together
-- (`period`); what the views of measures read. Two things are made uniform: users of several days
-- are null (they can't be added up), and the lengths of all conversations, kept as the breakdown
-- `length`, are also shown as the facet `length` of the breakdown `overall`, as every other
-- breakdown has them.
-- Windows of several days overlap: always choose one granularity.
-- `is_exhaustive` says that nothing was withheld (thresholds of 1): a missing cell is a true zero.
-- Source: transforms/counting/tally.py, `cells_of`.
WITH counted AS (
  SELECT
    window_start, granularity, DATE(window_start) AS last_day,
    breakdown, breakdown_value, facet, facet_value,
    conversations, users, sentiment_change_sixths, sentiment_change_squares,
    1 AS days, min_users, min_conversations, classifier_version
  FROM `{dataset}.aggregates_latest`
  UNION ALL
  SELECT
    window_start, granularity, last_day,
    breakdown, breakdown_value, facet, facet_value,
    conversations, CAST(NULL AS INT64) AS users, sentiment_change_sixths, sentiment_change_squares,
    days, min_users, min_conversations, classifier_version
  FROM `{dataset}.window_totals`
),

uniform AS (
  SELECT * FROM counted
  UNION ALL
  SELECT
    window_start, granularity, last_day, 'overall' AS breakdown, 'all' AS breakdown_value,
    'length' AS facet, breakdown_value AS facet_value,
    conversations, users, sentiment_change_sixths, sentiment_change_squares,
    days, min_users, min_conversations, classifier_version
  FROM counted
  WHERE breakdown = 'length' AND facet = 'all'
)

SELECT *, min_users = 1 AND min_conversations = 1 AS is_exhaustive
FROM uniform
