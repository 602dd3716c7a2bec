-- How often conversations move from one type to another, over 28 days and over all days.
SELECT
  last_day, granularity, scope, opening_type, closing_type, conversations, days,
  opening_conversations_at_most, withheld, raw_share, share_low, share_high, is_headline
FROM ${dataset}.drift
WHERE breakdown = 'overall' AND granularity IN ('trailing_28_days', 'period')
