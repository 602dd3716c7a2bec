-- What the conversations of more than 50 human messages are for: of all long ones the share that is
-- affective (`conversation_group` = `affective`) and of each type. The other way round than
-- `long_conversations`, which says what share of a type is long. A conversation may be of several
-- types. Raw and corrected, see `ratios`.
-- Source: METRICS.md, "long conversations" by type.
SELECT
  window_start, granularity, last_day, breakdown, breakdown_value,
  facet_value AS conversation_group,
  conversations, users, days,
  whole_conversations AS all_long_conversations, whole_days, raw_share, share_low, share_high,
  corrected_share, corrected_low, corrected_high, classifier_version
FROM `{dataset}.ratios`
WHERE facet = 'long' AND whole_facet = 'long'
