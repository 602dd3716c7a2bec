-- Companionship and both roleplays together, as a share of all conversations. A conversation of
-- several of these types counts once.
-- Source: docs/metrics.md, "share of each type".
SELECT
  window_kind, window_start, window_end, breakdown, breakdown_value,
  conversations, whole_conversations,
  COALESCE(corrected, raw) AS share, low, high, method, raw AS raw_share
FROM `{dataset}.figures_current`
WHERE facet = 'companionship_and_roleplay'
