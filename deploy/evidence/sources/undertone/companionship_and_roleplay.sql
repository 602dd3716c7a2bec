-- Bounds on the share of companionship and both roleplays together.
SELECT
  last_day, granularity, all_conversations, released_types,
  raw_share_at_least, raw_share_at_most, corrected_share_at_least, corrected_share_at_most,
  corrected_low, corrected_high
FROM ${dataset}.companionship_and_roleplay
WHERE breakdown = 'overall' AND granularity <> 'hour'
