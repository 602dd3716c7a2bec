-- Human messages per conversation.
SELECT
  window_kind, window_start, human_messages, at_least, conversations, whole_conversations, share, low, high
FROM ${dataset}.length_histogram
WHERE breakdown = 'overall' AND window_kind <> 'hour'
