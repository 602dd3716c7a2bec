-- How long conversations are: human messages per conversation, in bins, as a share of all. A
-- conversation is long from `at_least` = 51 on. The breakdown `length` is left out, because its
-- values are the bins. Lengths are counted, not classified, so there is nothing to correct.
-- Source: docs/metrics.md, "length"; bins: transforms/facets/lengths.py, `LENGTH_BINS`.
SELECT
  window_kind, window_start, window_end, breakdown, breakdown_value,
  facet_value AS human_messages,
  SAFE_CAST(REGEXP_EXTRACT(facet_value, r'^[0-9]+') AS INT64) AS at_least,
  conversations, whole_conversations,
  raw AS share, low, high, method
FROM `{dataset}.figures_current`
WHERE facet = 'length'
