-- The headline of drift: how many of the conversations that open as coaching or counseling close as
-- companionship. `scope` is all or long.
-- Source: docs/metrics.md, "drift".
SELECT
  window_kind, window_start, window_end, breakdown, breakdown_value,
  IF(facet = 'drift_long_headline', 'long', 'all') AS scope,
  conversations, whole_conversations,
  COALESCE(corrected, raw) AS share, low, high, method, raw AS raw_share
FROM `{dataset}.figures_current`
WHERE facet IN ('drift_headline', 'drift_long_headline')
