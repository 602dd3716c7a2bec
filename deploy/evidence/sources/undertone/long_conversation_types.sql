-- What people use long conversations for.
SELECT
  last_day, granularity, conversation_group, conversations, days, all_long_conversations,
  whole_days, raw_share, share_low, share_high, corrected_share, corrected_low, corrected_high
FROM ${dataset}.long_conversation_types
WHERE breakdown = 'overall' AND granularity <> 'hour'
