-- What conversations of more than 50 human messages are for: the share of all long conversations
-- that is affective (`conversation_group` = `affective`), and the share of each type.
-- `long_conversations` shows the reverse: which share of a type is long. A conversation may have
-- several types. For raw and corrected shares, see `ratios`.
-- Source: docs/metrics.md, "long conversations" by type.
SELECT
  window_start, granularity, last_day, breakdown, breakdown_value,
  facet_value AS conversation_group,
  conversations, users, days,
  whole_conversations AS all_long_conversations, whole_days, raw_share, share_low, share_high,
  corrected_share, corrected_low, corrected_high, classifier_version
FROM `{dataset}.ratios`
WHERE facet = 'long' AND whole_facet = 'long'
