-- Conversations in which the assistant refuses, resists or challenges something at least once.
-- `type` gives their share of all conversations (`all`) and of each type that the study reports;
-- both roleplays are left out. `reason` gives each reason as a share of the conversations with
-- pushback; a conversation may have several reasons. A row sets either `type` or `reason`.
-- Source: docs/metrics.md, "pushback".
SELECT
  window_kind, window_start, window_end, breakdown, breakdown_value,
  IF(facet = 'pushback', facet_value, NULL) AS type,
  IF(facet = 'pushback_reason', facet_value, NULL) AS reason,
  conversations, whole_conversations,
  COALESCE(corrected, raw) AS share, low, high, method, raw AS raw_share
FROM `{dataset}.figures_current`
WHERE measure = 'share' AND facet IN ('pushback', 'pushback_reason')
