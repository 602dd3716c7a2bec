-- How the mood moves: mean sentiment of the last three human messages minus that of the first
-- three, over conversations of six or more human messages. It is in points of the scale -1 (very
-- negative) .. +1 (very positive). There is a mean for all conversations, for the affective ones
-- and for each type. The change shows no cause: people open with their problem.
-- Source: docs/metrics.md, "sentiment change".
SELECT
  window_kind, window_start, window_end, breakdown, breakdown_value,
  facet_value AS conversation_group, conversations,
  raw AS mean_change, low, high
FROM `{dataset}.figures_current`
WHERE measure = 'mean_change' AND facet = 'sentiment'
