-- The share of affective conversations in each value of each breakdown.
SELECT
  last_day, granularity, breakdown, breakdown_value, conversations, days,
  all_conversations, all_days, raw_share, share_low, share_high,
  corrected_share, corrected_low, corrected_high
FROM ${dataset}.shares
WHERE
  breakdown <> 'overall' AND facet = 'use' AND facet_value = 'affective'
  AND granularity IN ('trailing_28_days', 'period')
