-- How often conversations move from coaching or counseling to companionship.
SELECT
  window_kind, window_start, scope, conversations, whole_conversations, share, low, high, method, raw_share
FROM ${dataset}.drift_headline
WHERE breakdown = 'overall' AND window_kind <> 'hour'
