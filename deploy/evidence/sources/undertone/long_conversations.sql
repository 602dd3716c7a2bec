-- How many conversations of each type are long.
SELECT
  window_kind, window_start, conversation_group, conversations, whole_conversations, share, low, high, method, raw_share
FROM ${dataset}.long_conversations
WHERE breakdown = 'overall' AND window_kind <> 'hour'
