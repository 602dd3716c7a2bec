-- How often conversations move from coaching or counseling to companionship.
SELECT
  last_day, granularity, scope, conversations, days, opening_conversations_at_most, whole_days,
  withheld, raw_share, share_low, share_high
FROM ${dataset}.drift_headline
WHERE breakdown = 'overall' AND granularity <> 'hour'
