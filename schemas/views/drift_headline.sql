-- The headline of drift: of the conversations that open as coaching or counseling, how many close as
-- companionship; `scope` all or long. A conversation has one opening and one closing type, so the
-- two openings add up.
-- Pairs not released are in `withheld`, and any of them may be such a turn: `raw_share` is a lower
-- bound unless `withheld` is 0, and `share_high` reckons all of them in. A share of 0 says that no
-- such pair was released, and `share_high` how many there may be. Days on which no pair of these
-- openings was released are left out (`whole_days`).
-- Raw shares only, see `drift`.
-- Source: METRICS.md, "drift".
SELECT
  window_start, granularity, last_day, breakdown, breakdown_value,
  IF(facet = 'drift_long_headline', 'long', 'all') AS scope,
  conversations, days, whole_conversations AS opening_conversations_at_most, whole_days, withheld,
  raw_share, share_low, share_high
FROM `{dataset}.ratios`
WHERE facet IN ('drift_headline', 'drift_long_headline')
