-- How conversations drift: from the type with which they open (first three human messages) to the
-- type with which they close (last three). `scope` is all or long. `share` is a share of the
-- conversations with the same opening. Most pairs are too rare to be published. Shares are raw:
-- most single drifts that a classifier finds are errors, so read `drift_headline` first.
-- Source: docs/metrics.md, "drift".
SELECT
  window_kind, window_start, window_end, breakdown, breakdown_value,
  IF(facet = 'drift_long', 'long', 'all') AS scope,
  SPLIT(facet_value, '>')[OFFSET(0)] AS opening_type,
  SPLIT(facet_value, '>')[OFFSET(1)] AS closing_type,
  conversations, whole_conversations,
  COALESCE(corrected, raw) AS share, low, high, method, raw AS raw_share
FROM `{dataset}.figures_current`
WHERE facet IN ('drift', 'drift_long')
