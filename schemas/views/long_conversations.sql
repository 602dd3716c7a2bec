-- Conversations of more than 50 human messages (50 is not long, 51 is): their number, and their
-- share of all conversations (`conversation_group` = `all`), of the affective ones, and of each
-- type.
-- For raw and corrected shares, see `ratios`.
-- Source: docs/metrics.md, "long conversations".
SELECT
  window_start, granularity, last_day, breakdown, breakdown_value, facet_value AS conversation_group,
  conversations, users, days, whole_conversations, whole_days, raw_share, share_low, share_high,
  corrected_share, corrected_low, corrected_high, classifier_version
FROM `{dataset}.ratios`
WHERE facet = 'long' AND whole_facet <> 'long'
