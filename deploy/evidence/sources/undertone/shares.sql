-- Shares of types and uses.
SELECT
  window_kind, window_start, facet, facet_value, share_of, conversations, whole_conversations, share, low, high, method, raw_share
FROM ${dataset}.shares
WHERE breakdown = 'overall' AND window_kind <> 'hour'
