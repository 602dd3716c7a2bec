-- The headline of drift: how many conversations that open as coaching or counseling close as
-- companionship. `scope` is all or long. A conversation has one opening and one closing type, so
-- the two openings add up.
-- `withheld` is the number of conversations in pairs not released. Any of them may be such a turn,
-- so `raw_share` is a lower bound unless `withheld` is 0, and `share_high` counts them all in. A
-- share of 0 means that no such pair was released; `share_high` says how large the share may be.
-- Days without a released pair of these openings are left out (`whole_days`).
-- There are only raw shares; see `drift`.
-- Source: docs/metrics.md, "drift".
SELECT
  window_start, granularity, last_day, breakdown, breakdown_value,
  IF(facet = 'drift_long_headline', 'long', 'all') AS scope,
  conversations, days, whole_conversations AS opening_conversations_at_most, whole_days, withheld,
  raw_share, share_low, share_high
FROM `{dataset}.ratios`
WHERE facet IN ('drift_headline', 'drift_long_headline')
