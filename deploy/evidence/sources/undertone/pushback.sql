-- How often and why the assistant pushes back.
SELECT
  last_day, granularity, type, reason, conversations, days, whole_conversations, whole_days,
  raw_share, share_low, share_high, corrected_share, corrected_low, corrected_high
FROM ${dataset}.pushback
WHERE breakdown = 'overall' AND granularity <> 'hour'
