-- Where the assistant refuses, resists or challenges at least once: its rate among all
-- conversations (`type` = `all`) and within each type that the study reports (both roleplays are
-- left out), and its reasons, each as a share of the conversations with pushback; a conversation
-- may have several reasons. Of `type` and `reason` one is set. Raw and corrected, see `ratios`.
-- Source: METRICS.md, "pushback".
SELECT
  window_start, granularity, last_day, breakdown, breakdown_value,
  IF(facet = 'pushback', facet_value, NULL) AS type,
  IF(facet = 'pushback_reason', facet_value, NULL) AS reason,
  conversations, users, days, whole_conversations, whole_days, raw_share, share_low, share_high,
  corrected_share, corrected_low, corrected_high, classifier_version
FROM `{dataset}.ratios`
WHERE facet IN ('pushback', 'pushback_reason')
