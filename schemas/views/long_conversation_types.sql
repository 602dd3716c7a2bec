-- What conversations of more than 50 human messages are for: the share of all long conversations
-- that is affective (`conversation_group` = `affective`), and the share of each type. A conversation
-- may have several types. `long_conversations` shows the reverse: which share of a type is long.
-- Source: docs/metrics.md, "long conversations" by type.
SELECT
  window_kind, window_start, window_end, breakdown, breakdown_value,
  facet_value AS conversation_group, conversations, whole_conversations,
  COALESCE(corrected, raw) AS share, low, high, method, raw AS raw_share
FROM `{dataset}.figures_current`
WHERE facet = 'long' AND whole_facet = 'long'
