-- Companionship and both roleplays together.
SELECT
  window_kind, window_start, conversations, whole_conversations, share, low, high, method, raw_share
FROM ${dataset}.companionship_and_roleplay
WHERE breakdown = 'overall' AND window_kind <> 'hour'
