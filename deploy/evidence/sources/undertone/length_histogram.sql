-- Human messages per conversation.
SELECT
  last_day, granularity, human_messages, at_least, conversations, days, whole_conversations,
  whole_days, raw_share, share_low, share_high
FROM ${dataset}.length_histogram
WHERE breakdown = 'overall' AND granularity <> 'hour'
