-- How long conversations are: human messages per conversation, in bins, as a share of all. A
-- conversation is long from `at_least` = 51 on. In the breakdown `overall`, the bin `not_published`
-- stands for all withheld bins. The breakdown `length` is left out, because its values are the
-- bins.
-- Lengths are counted, not classified, so the corrected share equals the raw one.
-- Source: docs/metrics.md, "length"; bins: transforms/facets/lengths.py, `LENGTH_BINS`.
SELECT
  window_start, granularity, last_day, breakdown, breakdown_value,
  facet_value AS human_messages,
  SAFE_CAST(REGEXP_EXTRACT(facet_value, r'^[0-9]+') AS INT64) AS at_least,
  conversations, users, days, whole_conversations, whole_days, raw_share, share_low, share_high,
  corrected_share, corrected_low, corrected_high, classifier_version
FROM `{dataset}.ratios`
WHERE facet = 'length'
