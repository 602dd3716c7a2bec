-- Conversations in which the assistant refuses, resists or challenges something at least once.
-- `type` gives their share of all conversations (`all`) and of each type that the study reports;
-- both roleplays are left out. `reason` gives each reason as a share of the conversations with
-- pushback; a conversation may have several reasons. A row sets either `type` or `reason`. For raw
-- and corrected shares, see `ratios`.
-- Source: docs/metrics.md, "pushback".
SELECT
  window_start, granularity, last_day, breakdown, breakdown_value,
  IF(facet = 'pushback', facet_value, NULL) AS type,
  IF(facet = 'pushback_reason', facet_value, NULL) AS reason,
  conversations, users, days, whole_conversations, whole_days, raw_share, share_low, share_high,
  corrected_share, corrected_low, corrected_high, classifier_version
FROM `{dataset}.ratios`
WHERE facet IN ('pushback', 'pushback_reason')
