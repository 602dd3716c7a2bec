-- How many conversations of each type are long.
SELECT
  last_day, granularity, conversation_group, conversations, days, whole_conversations, whole_days,
  raw_share, share_low, share_high, corrected_share, corrected_low, corrected_high
FROM ${dataset}.long_conversations
WHERE breakdown = 'overall' AND granularity <> 'hour'
