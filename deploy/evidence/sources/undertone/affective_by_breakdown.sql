-- The share of affective conversations in each value of each breakdown.
SELECT
  window_kind, window_start, breakdown, breakdown_value, conversations, whole_conversations, share, low, high, method, raw_share
FROM ${dataset}.shares
WHERE
  breakdown <> 'overall' AND facet = 'use' AND facet_value = 'affective'
  AND window_kind <> 'hour'
