-- From which type conversations open (first three human messages) to which they close (last three),
-- `scope` all or long. `raw_share` is of the opening. A matrix has many small pairs that are never
-- released: `withheld` conversations are in none that is, any opening may have them, and so
-- `raw_share` is a lower bound unless it is 0. `is_headline` marks coaching or counseling turning
-- to companionship.
-- Raw shares only: `corrected_share` and its interval are always null. To correct a matrix it must be
-- inverted with the rate of every pair, and one with withheld cells can't be.
-- Source: METRICS.md, "drift".
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
