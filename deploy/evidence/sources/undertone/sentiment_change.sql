-- How the mood moves from the first to the last messages.
SELECT
  window_kind, window_start, conversation_group, conversations, mean_change, low, high
FROM ${dataset}.sentiment_change
WHERE breakdown = 'overall' AND window_kind <> 'hour'
