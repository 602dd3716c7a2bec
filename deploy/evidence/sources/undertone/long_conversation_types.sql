-- What people use long conversations for.
SELECT
  window_kind, window_start, conversation_group, conversations, whole_conversations, share, low, high, method, raw_share
FROM ${dataset}.long_conversation_types
WHERE breakdown = 'overall' AND window_kind <> 'hour'
