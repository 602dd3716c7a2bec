-- How often and why the assistant pushes back.
SELECT
  window_kind, window_start, type, reason, conversations, whole_conversations, share, low, high, method, raw_share
FROM ${dataset}.pushback
WHERE breakdown = 'overall' AND window_kind <> 'hour'
