-- Companionship and both roleplays together, as a share of all conversations. A conversation may
-- have several types, and each type is counted alone. So the share of all three is at least that of
-- the largest, and at most their sum.
-- `_at_least` and `_at_most` enclose the raw and the corrected share. `corrected_low` is the lower
-- end of the largest type's interval; `corrected_high` is the sum of all upper ends. They contain
-- the share at least as surely as all three 95 % intervals contain theirs: 85 % of the time or
-- more.
-- A type that was not released, or has no corrected share, leaves no upper end. If nothing is
-- withheld, a missing type counts as 0.
-- Source: docs/metrics.md, "share of each type"; bounds: Boole 1854.
WITH together AS (
  SELECT
    window_start, granularity, last_day, breakdown, breakdown_value,
    MAX(whole_conversations) AS all_conversations, MAX(whole_days) AS whole_days,
    COUNT(*) AS released_types,
    COUNT(IF(withheld = 0, 1, NULL)) AS whole_types,
    COUNT(corrected_share) AS corrected_types,
    COUNT(corrected_high) AS limited_types,
    MAX(raw_share) AS largest, SUM(raw_share) AS total,
    MAX(corrected_share) AS largest_corrected, SUM(corrected_share) AS total_corrected,
    MAX(corrected_low) AS largest_low, SUM(corrected_high) AS total_high
  FROM `{dataset}.ratios`
  WHERE
    facet = 'type' AND whole_facet = 'all'
    AND facet_value IN ('companionship', 'romantic_roleplay', 'roleplay')
  GROUP BY window_start, granularity, last_day, breakdown, breakdown_value
),

bounded AS (
  SELECT
    t.*,
    t.whole_types = t.released_types AND (t.released_types = 3 OR c.is_exhaustive) AS is_whole
  FROM together AS t
  INNER JOIN `{dataset}.cells` AS c
    ON
      t.window_start = c.window_start
      AND t.granularity = c.granularity
      AND t.breakdown = c.breakdown
      AND t.breakdown_value = c.breakdown_value
      AND c.facet = 'all'
)

SELECT
  window_start, granularity, last_day, breakdown, breakdown_value,
  all_conversations, whole_days, released_types,
  largest AS raw_share_at_least,
  IF(is_whole, LEAST(total, 1), NULL) AS raw_share_at_most,
  largest_corrected AS corrected_share_at_least,
  IF(
    is_whole AND corrected_types = released_types, LEAST(total_corrected, 1), NULL
  ) AS corrected_share_at_most,
  largest_low AS corrected_low,
  IF(is_whole AND limited_types = released_types, LEAST(total_high, 1), NULL) AS corrected_high
FROM bounded
