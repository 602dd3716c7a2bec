-- How the mood moves from the first to the last messages.
SELECT
  last_day, granularity, conversation_group, conversations, days, mean_change, sd_change,
  change_low, change_high
FROM ${dataset}.sentiment_change
WHERE breakdown = 'overall' AND granularity <> 'hour'
