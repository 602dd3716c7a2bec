-- Every share that is reported, as a part of a whole: the one place where shares are divided and
-- get their interval. `ratios` adds the corrected shares; the views of measures pick from that.
-- A share is what the classifier counted, hence `raw_share`: it is not corrected for the
-- classifier's misses and false positives, which at a few per cent may be most of it.
-- The interval is Wilson's score interval at 95 % (Wilson 1927; Brown, Cai and DasGupta 2001): it
-- covers chance, not the classifier's errors.
-- `withheld` is how many conversations more the part may have than were released: 0 where it was
-- released on every day of the whole, unknown (null) where on some days only. `raw_share` and
-- `share_low` are then lower bounds, and `share_high` reckons all of them in, or is null.
-- The granularity `period` is all days of which the whole was released, added up; unlike `cells` it
-- leaves out what was released of a part on other days.
-- Where the whole was withheld, or is an older version smaller than its part, there is no share.
-- `not_published` has none: which values it stands for differs from facet to facet.
-- The whole of a drift is its opening: the pairs released, and all conversations of no released
-- pair, for these may have opened so.
-- What a correction needs besides stands in three columns: `all_conversations` on the days of the
-- whole; `alike_conversations`, those of them that are long (facet `long`) or have pushback (facet
-- `pushback`), whatever their type; `classifier_version`, null where they are not all of one. Where
-- one of these counts was withheld on a day of the whole it is null.
-- Source: METRICS.md, "Measures" and "Estimates carry intervals".
WITH cells AS (
  SELECT *
  FROM `{dataset}.cells`
  WHERE breakdown_value <> 'not_published' AND granularity <> 'period'
),

parts AS (
  SELECT
    *,
    CASE
      WHEN facet = 'pushback_reason' THEN 'pushback'
      WHEN facet IN ('drift', 'drift_long') THEN facet
      WHEN facet IN ('type', 'use', 'length') OR facet_value = 'all' THEN 'all'
      WHEN facet_value = 'affective' THEN 'use'
      ELSE 'type'
    END AS whole_facet,
    CASE
      WHEN facet IN ('drift', 'drift_long') THEN SPLIT(facet_value, '>')[OFFSET(0)]
      WHEN facet IN ('type', 'use', 'length', 'pushback_reason') THEN 'all'
      ELSE facet_value
    END AS whole_value
  FROM cells
  WHERE
    facet IN (
      'type', 'use', 'length', 'long', 'pushback', 'pushback_reason', 'drift', 'drift_long'
    )
  UNION ALL
  SELECT *, 'use' AS whole_facet, 'affective' AS whole_value
  FROM cells
  WHERE facet = 'type' AND facet_value <> 'roleplay'
),

matrices AS (
  SELECT
    window_start, granularity, breakdown, breakdown_value, facet,
    SUM(conversations) AS conversations
  FROM cells
  WHERE facet IN ('drift', 'drift_long')
  GROUP BY window_start, granularity, breakdown, breakdown_value, facet
),

unpaired AS (
  SELECT
    m.window_start, m.granularity, m.breakdown, m.breakdown_value, m.facet,
    GREATEST(c.conversations - m.conversations, 0) AS conversations
  FROM matrices AS m
  INNER JOIN cells AS c
    ON
      m.window_start = c.window_start
      AND m.granularity = c.granularity
      AND m.breakdown = c.breakdown
      AND m.breakdown_value = c.breakdown_value
      AND c.facet = IF(m.facet = 'drift', 'all', 'long')
      AND c.facet_value = 'all'
),

openings AS (
  SELECT
    window_start, granularity, breakdown, breakdown_value, facet,
    SPLIT(facet_value, '>')[OFFSET(0)] AS opening_type, SUM(conversations) AS conversations
  FROM cells
  WHERE facet IN ('drift', 'drift_long')
  GROUP BY
    window_start, granularity, breakdown, breakdown_value, facet,
    SPLIT(facet_value, '>')[OFFSET(0)]
),

totals AS (
  SELECT
    window_start, granularity, breakdown, breakdown_value,
    MAX(IF(facet = 'all', conversations, NULL)) AS all_conversations,
    MAX(IF(facet = 'long', conversations, IF(is_exhaustive, 0, NULL))) AS long_conversations,
    MAX(
      IF(facet = 'pushback', conversations, IF(is_exhaustive, 0, NULL))
    ) AS pushback_conversations,
    MIN(classifier_version) AS first_version,
    MAX(classifier_version) AS last_version
  FROM cells
  WHERE facet IN ('all', 'long', 'pushback') AND facet_value = 'all'
  GROUP BY window_start, granularity, breakdown, breakdown_value
),

wholes AS (
  SELECT
    c.window_start, c.granularity, c.breakdown, c.breakdown_value,
    c.facet AS whole_facet, c.facet_value AS whole_value,
    c.conversations AS whole_conversations, c.is_exhaustive,
    CAST(NULL AS INT64) AS unpaired_conversations,
    t.all_conversations, t.long_conversations, t.pushback_conversations,
    LEAST(c.classifier_version, t.first_version) AS first_version,
    GREATEST(c.classifier_version, t.last_version) AS last_version
  FROM cells AS c
  LEFT JOIN totals AS t
    ON
      c.window_start = t.window_start
      AND c.granularity = t.granularity
      AND c.breakdown = t.breakdown
      AND c.breakdown_value = t.breakdown_value
  WHERE c.facet IN ('all', 'use', 'type', 'pushback')
  UNION ALL
  SELECT
    o.window_start, o.granularity, o.breakdown, o.breakdown_value,
    o.facet AS whole_facet, o.opening_type AS whole_value,
    o.conversations + u.conversations AS whole_conversations, FALSE AS is_exhaustive,
    u.conversations AS unpaired_conversations,
    CAST(NULL AS INT64) AS all_conversations, CAST(NULL AS INT64) AS long_conversations,
    CAST(NULL AS INT64) AS pushback_conversations,
    CAST(NULL AS STRING) AS first_version, CAST(NULL AS STRING) AS last_version
  FROM openings AS o
  INNER JOIN unpaired AS u
    ON
      o.window_start = u.window_start
      AND o.granularity = u.granularity
      AND o.breakdown = u.breakdown
      AND o.breakdown_value = u.breakdown_value
      AND o.facet = u.facet
),

joined AS (
  SELECT
    p.window_start, p.granularity, p.breakdown, p.breakdown_value, p.facet, p.facet_value,
    p.whole_facet, p.whole_value, p.conversations, p.users, 1 AS days,
    w.whole_conversations, 1 AS whole_days, w.is_exhaustive, w.unpaired_conversations,
    w.all_conversations, w.long_conversations, w.pushback_conversations,
    LEAST(p.classifier_version, w.first_version) AS first_version,
    GREATEST(p.classifier_version, w.last_version) AS last_version
  FROM parts AS p
  LEFT JOIN wholes AS w
    ON
      p.window_start = w.window_start
      AND p.granularity = w.granularity
      AND p.breakdown = w.breakdown
      AND p.breakdown_value = w.breakdown_value
      AND p.whole_facet = w.whole_facet
      AND p.whole_value = w.whole_value
      AND p.conversations <= w.whole_conversations
      AND w.whole_conversations > 0
),

period_parts AS (
  SELECT
    breakdown, breakdown_value, facet, facet_value, whole_facet, whole_value,
    COALESCE(
      SUM(IF(whole_conversations IS NULL, NULL, conversations)), SUM(conversations)
    ) AS conversations,
    COUNT(whole_conversations) AS shared_days,
    COUNT(*) AS released_days,
    MIN(IF(whole_conversations IS NULL, NULL, first_version)) AS first_version,
    MAX(IF(whole_conversations IS NULL, NULL, last_version)) AS last_version
  FROM joined
  WHERE granularity = 'day'
  GROUP BY breakdown, breakdown_value, facet, facet_value, whole_facet, whole_value
),

period_wholes AS (
  SELECT
    breakdown, breakdown_value, whole_facet, whole_value,
    SUM(whole_conversations) AS whole_conversations,
    COUNT(*) AS whole_days,
    MIN(IF(is_exhaustive, 1, 0)) = 1 AS is_exhaustive,
    SUM(unpaired_conversations) AS unpaired_conversations,
    IF(COUNT(all_conversations) = COUNT(*), SUM(all_conversations), NULL) AS all_conversations,
    IF(COUNT(long_conversations) = COUNT(*), SUM(long_conversations), NULL) AS long_conversations,
    IF(
      COUNT(pushback_conversations) = COUNT(*), SUM(pushback_conversations), NULL
    ) AS pushback_conversations,
    MIN(first_version) AS first_version,
    MAX(last_version) AS last_version
  FROM wholes
  WHERE granularity = 'day'
  GROUP BY breakdown, breakdown_value, whole_facet, whole_value
),

all_windows AS (
  SELECT * FROM joined
  UNION ALL
  SELECT
    (SELECT MIN(window_start) FROM cells) AS window_start, 'period' AS granularity,
    p.breakdown, p.breakdown_value, p.facet, p.facet_value, p.whole_facet, p.whole_value,
    p.conversations, CAST(NULL AS INT64) AS users,
    IF(p.shared_days > 0, p.shared_days, p.released_days) AS days,
    w.whole_conversations, w.whole_days, w.is_exhaustive, w.unpaired_conversations,
    w.all_conversations, w.long_conversations, w.pushback_conversations,
    LEAST(p.first_version, w.first_version) AS first_version,
    GREATEST(p.last_version, w.last_version) AS last_version
  FROM period_parts AS p
  LEFT JOIN period_wholes AS w
    ON
      p.breakdown = w.breakdown
      AND p.breakdown_value = w.breakdown_value
      AND p.whole_facet = w.whole_facet
      AND p.whole_value = w.whole_value
      AND p.shared_days > 0
),

bounded AS (
  SELECT
    *,
    CASE
      WHEN unpaired_conversations IS NOT NULL THEN unpaired_conversations
      WHEN is_exhaustive OR days = whole_days THEN 0
    END AS withheld,
    1.959964 AS z
  FROM all_windows
),

divided AS (
  SELECT
    *,
    conversations / whole_conversations AS raw_share,
    (conversations + withheld) / whole_conversations AS raw_share_at_most,
    z * z / whole_conversations AS pull
  FROM bounded
)

SELECT
  window_start, granularity, breakdown, breakdown_value, facet, facet_value,
  whole_facet, whole_value, conversations, users, days, whole_conversations, whole_days,
  all_conversations,
  CASE
    WHEN facet = 'long' THEN long_conversations
    WHEN facet = 'pushback' THEN pushback_conversations
  END AS alike_conversations,
  IF(first_version = last_version, first_version, NULL) AS classifier_version,
  withheld, raw_share,
  GREATEST(
    (
      raw_share + pull / 2
      - SQRT(pull * (raw_share * (1 - raw_share) + pull / 4))
    ) / (1 + pull),
    0
  ) AS share_low,
  LEAST(
    (
      raw_share_at_most + pull / 2
      + SQRT(pull * (raw_share_at_most * (1 - raw_share_at_most) + pull / 4))
    ) / (1 + pull),
    1
  ) AS share_high
FROM divided
