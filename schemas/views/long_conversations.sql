-- Conversations of more than 50 human messages (50 is not long, 51 is): their number, and their
-- share of all conversations (`conversation_group` = `all`), of the affective ones, and of each
-- type.
-- Source: docs/metrics.md, "long conversations".
SELECT
  window_kind, window_start, window_end, breakdown, breakdown_value,
  facet_value AS conversation_group, conversations, whole_conversations,
  COALESCE(corrected, raw) AS share, low, high, method, raw AS raw_share
FROM `{dataset}.figures_current`
WHERE facet = 'long' AND whole_facet <> 'long'
