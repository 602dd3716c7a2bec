-- Every current cell, by hour, by day and over several days: the 7 days that end with `last_day`
-- (granularity `trailing_7_days`), the 28 days (`trailing_28_days`), and all days (`period`). The
-- views of measures read from here.
-- Two things are made uniform. Users over several days are null, because they can't be added up.
-- The lengths of all conversations are stored as the breakdown `length`; they also appear as the
-- facet `length` of the breakdown `overall`, as in every other breakdown.
-- Windows of several days overlap, so always choose one granularity.
-- `is_exhaustive` says that nothing was withheld (thresholds of 1). Then a missing cell is a true
-- zero.
-- Source: transforms/counting/profile.py, `cells_of`.
WITH counted AS (
  SELECT
    window_start, granularity, DATE(window_start) AS last_day,
    breakdown, breakdown_value, facet, facet_value,
    conversations, users, sentiment_change_300ths, sentiment_change_squares,
    1 AS days, min_users, min_conversations, classifier_version
  FROM `{dataset}.aggregates_latest`
  UNION ALL
  SELECT
    window_start, granularity, last_day,
    breakdown, breakdown_value, facet, facet_value,
    conversations, CAST(NULL AS INT64) AS users, sentiment_change_300ths, sentiment_change_squares,
    days, min_users, min_conversations, classifier_version
  FROM `{dataset}.window_totals`
),

uniform AS (
  SELECT * FROM counted
  UNION ALL
  SELECT
    window_start, granularity, last_day, 'overall' AS breakdown, 'all' AS breakdown_value,
    'length' AS facet, breakdown_value AS facet_value,
    conversations, users, sentiment_change_300ths, sentiment_change_squares,
    days, min_users, min_conversations, classifier_version
  FROM counted
  WHERE breakdown = 'length' AND facet = 'all'
)

SELECT *, min_users = 1 AND min_conversations = 1 AS is_exhaustive
FROM uniform
