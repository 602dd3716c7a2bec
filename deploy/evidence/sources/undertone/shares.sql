-- Shares of types and uses among all conversations.
SELECT
  last_day, granularity, facet, facet_value, conversations, days, all_conversations, all_days,
  raw_share, share_low, share_high, corrected_share, corrected_low, corrected_high,
  affective_conversations, raw_share_of_affective, share_of_affective_low, share_of_affective_high,
  corrected_share_of_affective, corrected_share_of_affective_low, corrected_share_of_affective_high
FROM ${dataset}.shares
WHERE breakdown = 'overall' AND granularity <> 'hour'
