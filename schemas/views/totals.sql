-- How many conversations started in each window, overall and for each value of each breakdown.
-- Source: docs/metrics.md, "Measures".
SELECT
  window_kind, window_start, window_end, breakdown, breakdown_value, conversations
FROM `{dataset}.aggregates_current`
WHERE facet = 'all'
