-- How the mood moves: mean sentiment of the last three human messages minus that of the first
-- three, over conversations of six or more human messages. It is in points of the scale -1 (very
-- negative) .. +1 (very positive). There is a mean for all conversations, for the affective ones
-- and for each type.
-- The 95 % interval of the mean is mean +- 1.96 sd / sqrt(n). This normal approximation needs only
-- the sums; the study bootstrapped 1,000 times instead. From n >= 15, the default minimum for a
-- release, the two agree closely (tests/schemas/views). Below 15 there is no interval. The change
-- shows no cause: people open with their problem.
-- `not_published` is left out, as in `ratios`.
-- Source: docs/metrics.md, "sentiment change".
WITH moments AS (
  SELECT
    window_start, granularity, last_day,
    breakdown, breakdown_value, facet_value AS conversation_group,
    conversations, users, days,
    sentiment_change_300ths / 300 / conversations AS mean_change,
    sentiment_change_squares / 90000 AS squares
  FROM `{dataset}.cells`
  WHERE facet = 'sentiment' AND breakdown_value <> 'not_published' AND conversations > 0
),

spread AS (
  SELECT
    *,
    -- Rounding may make the difference of two equal sums negative.
    IF(
      conversations > 1,
      SQRT(
        GREATEST(squares - conversations * mean_change * mean_change, 0) / (conversations - 1)
      ),
      NULL
    ) AS sd_change
  FROM moments
)

SELECT
  window_start, granularity, last_day, breakdown, breakdown_value, conversation_group,
  conversations, users, days, mean_change, sd_change,
  IF(
    conversations >= 15, mean_change - 1.959964 * sd_change / SQRT(conversations), NULL
  ) AS change_low,
  IF(
    conversations >= 15, mean_change + 1.959964 * sd_change / SQRT(conversations), NULL
  ) AS change_high
FROM spread
