-- How conversations drift: from the type with which they open (first three human messages) to the
-- type with which they close (last three). `scope` is all or long. `raw_share` is a share of the
-- opening.
-- A matrix has many small pairs that are never released. `withheld` is the number of conversations
-- in no released pair. Any opening may have them, so `raw_share` is a lower bound unless `withheld`
-- is 0. `is_headline` marks coaching or counseling that turns to companionship.
-- There are only raw shares: `corrected_share` and its interval are always null. Correcting a
-- matrix means inverting it with the rate of every pair, and that is impossible with withheld
-- cells.
-- Source: docs/metrics.md, "drift".
SELECT
  window_start, granularity, last_day, breakdown, breakdown_value,
  IF(facet = 'drift_long', 'long', 'all') AS scope,
  whole_value AS opening_type,
  SPLIT(facet_value, '>')[OFFSET(1)] AS closing_type,
  conversations, users, days,
  whole_conversations AS opening_conversations_at_most, withheld,
  raw_share, share_low, share_high,
  corrected_share, corrected_low, corrected_high,
  whole_value IN ('coaching', 'counseling')
  AND SPLIT(facet_value, '>')[OFFSET(1)] = 'companionship' AS is_headline
FROM `{dataset}.ratios`
WHERE facet IN ('drift', 'drift_long')
