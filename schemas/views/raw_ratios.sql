-- Every reported share, as a part of a whole. Only this view divides parts by wholes and computes
-- their intervals. `ratios` adds corrected shares, and the views of measures read from `ratios`.
-- The share is called `raw_share` because it is what the classifier counted. It still contains the
-- classifier's misses and false positives. In a share of a few per cent, these may be most of it.
-- The interval is Wilson's score interval at 95 % (Wilson 1927; Brown, Cai and DasGupta 2001). It
-- covers chance, not the classifier's errors.
-- `withheld` is how many more conversations the part may have than were released. It is 0 if the
-- part was released on every day of the whole, and null (unknown) if only on some days. If it is
-- not 0, `raw_share` and `share_low` are lower bounds, and `share_high` counts all withheld ones
-- in, or is null.
-- A window of several days (`window_days`) sums its days on which the whole was released;
-- `whole_days` is their number. Unlike `cells`, it leaves out what was released of a part on other
-- days.
-- There is no share if the whole was withheld, or is an older version that is smaller than its
-- part. `not_published` has no shares, because the values that it stands for differ between facets.
-- The whole of a drift is its opening: the conversations in released pairs with this opening, plus
-- all conversations in no released pair, because these may have opened the same way. The facets
-- `drift_headline` and `drift_long_headline` take the openings coaching and counseling together.
-- Their part is what closed as companionship; pairs not released count in `withheld`.
-- Each type is also a part of the long conversations (`whole_facet` = `long`).
-- Three more columns serve the correction. `all_conversations` is all conversations on the days of
-- the whole. `alike_conversations` is those of them that are long (facet `long`) or have pushback
-- (facet `pushback`), of any type. `classifier_version` is null if there are several. A count is
-- null if it was withheld on a day of the whole.
-- Source: docs/metrics.md, "Measures" and "Estimates carry intervals".
WITH cells AS (
  SELECT
    window_start, granularity, last_day, breakdown, breakdown_value, facet, facet_value,
    conversations, users, classifier_version, is_exhaustive
  FROM `{dataset}.cells`
  WHERE breakdown_value <> 'not_published' AND granularity IN ('hour', 'day')
),

pairs AS (
  SELECT
    *,
    SPLIT(facet_value, '>')[OFFSET(0)] AS opening_type,
    SPLIT(facet_value, '>')[OFFSET(1)] AS closing_type
  FROM cells
  WHERE facet IN ('drift', 'drift_long')
),

headlines AS (
  SELECT
    window_start, granularity, last_day, breakdown, breakdown_value,
    CONCAT(facet, '_headline') AS facet,
    SUM(IF(closing_type = 'companionship', conversations, 0)) AS conversations,
    SUM(conversations) AS opening_conversations,
    MIN(classifier_version) AS classifier_version
  FROM pairs
  WHERE opening_type IN ('coaching', 'counseling')
  GROUP BY window_start, granularity, last_day, breakdown, breakdown_value, facet
),

parts AS (
  SELECT
    c.*,
    CASE
      WHEN f.share_of = 'opening' THEN c.facet
      WHEN f.share_of = 'pushback' THEN 'pushback'
      WHEN f.share_of = 'all' OR c.facet_value = 'all' THEN 'all'
      WHEN c.facet_value = 'affective' THEN 'use'
      ELSE 'type'
    END AS whole_facet,
    CASE f.share_of
      WHEN 'opening' THEN SPLIT(c.facet_value, '>')[OFFSET(0)]
      WHEN 'group' THEN c.facet_value
      ELSE 'all'
    END AS whole_value
  FROM cells AS c
  INNER JOIN `{dataset}.facets` AS f ON c.facet = f.facet
  WHERE f.share_of <> 'none'
  UNION ALL
  SELECT *, 'use' AS whole_facet, 'affective' AS whole_value
  FROM cells
  WHERE facet = 'type' AND facet_value <> 'roleplay'
  UNION ALL
  SELECT *, 'long' AS whole_facet, 'all' AS whole_value
  FROM cells
  WHERE facet = 'long' AND facet_value <> 'all'
  UNION ALL
  SELECT
    window_start, granularity, last_day, breakdown, breakdown_value,
    facet, 'companionship' AS facet_value,
    conversations, CAST(NULL AS INT64) AS users, classifier_version, FALSE AS is_exhaustive,
    facet AS whole_facet, 'coaching or counseling' AS whole_value
  FROM headlines
),

matrices AS (
  SELECT
    window_start, granularity, breakdown, breakdown_value, facet,
    SUM(conversations) AS conversations
  FROM pairs
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
    window_start, granularity, breakdown, breakdown_value,
    facet AS drift, facet AS whole_facet, opening_type AS whole_value,
    SUM(conversations) AS conversations
  FROM pairs
  GROUP BY window_start, granularity, breakdown, breakdown_value, facet, opening_type
  UNION ALL
  SELECT
    window_start, granularity, breakdown, breakdown_value,
    IF(facet = 'drift_headline', 'drift', 'drift_long') AS drift, facet AS whole_facet,
    'coaching or counseling' AS whole_value, opening_conversations AS conversations
  FROM headlines
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
  WHERE
    c.facet IN ('all', 'use', 'type', 'pushback') OR (c.facet = 'long' AND c.facet_value = 'all')
  UNION ALL
  SELECT
    o.window_start, o.granularity, o.breakdown, o.breakdown_value,
    o.whole_facet, o.whole_value,
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
      AND o.drift = u.facet
),

joined AS (
  SELECT
    p.window_start, p.granularity, p.last_day,
    p.breakdown, p.breakdown_value, p.facet, p.facet_value,
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

summed_parts AS (
  SELECT
    d.window_start, d.granularity, d.last_day,
    j.breakdown, j.breakdown_value, j.facet, j.facet_value, j.whole_facet, j.whole_value,
    COALESCE(
      SUM(IF(j.whole_conversations IS NULL, NULL, j.conversations)), SUM(j.conversations)
    ) AS conversations,
    COUNT(j.whole_conversations) AS shared_days,
    COUNT(*) AS released_days,
    MIN(IF(j.whole_conversations IS NULL, NULL, j.first_version)) AS first_version,
    MAX(IF(j.whole_conversations IS NULL, NULL, j.last_version)) AS last_version
  FROM joined AS j
  INNER JOIN `{dataset}.window_days` AS d ON j.window_start = d.day_start
  WHERE j.granularity = 'day'
  GROUP BY
    d.window_start, d.granularity, d.last_day,
    j.breakdown, j.breakdown_value, j.facet, j.facet_value, j.whole_facet, j.whole_value
),

summed_wholes AS (
  SELECT
    d.window_start, d.granularity,
    w.breakdown, w.breakdown_value, w.whole_facet, w.whole_value,
    SUM(w.whole_conversations) AS whole_conversations,
    COUNT(*) AS whole_days,
    MIN(IF(w.is_exhaustive, 1, 0)) = 1 AS is_exhaustive,
    SUM(w.unpaired_conversations) AS unpaired_conversations,
    IF(COUNT(w.all_conversations) = COUNT(*), SUM(w.all_conversations), NULL) AS all_conversations,
    IF(
      COUNT(w.long_conversations) = COUNT(*), SUM(w.long_conversations), NULL
    ) AS long_conversations,
    IF(
      COUNT(w.pushback_conversations) = COUNT(*), SUM(w.pushback_conversations), NULL
    ) AS pushback_conversations,
    MIN(w.first_version) AS first_version,
    MAX(w.last_version) AS last_version
  FROM wholes AS w
  INNER JOIN `{dataset}.window_days` AS d ON w.window_start = d.day_start
  WHERE w.granularity = 'day'
  GROUP BY
    d.window_start, d.granularity, w.breakdown, w.breakdown_value, w.whole_facet, w.whole_value
),

all_windows AS (
  SELECT * FROM joined
  UNION ALL
  SELECT
    p.window_start, p.granularity, p.last_day,
    p.breakdown, p.breakdown_value, p.facet, p.facet_value, p.whole_facet, p.whole_value,
    p.conversations, CAST(NULL AS INT64) AS users,
    IF(p.shared_days > 0, p.shared_days, p.released_days) AS days,
    w.whole_conversations, w.whole_days, w.is_exhaustive, w.unpaired_conversations,
    w.all_conversations, w.long_conversations, w.pushback_conversations,
    LEAST(p.first_version, w.first_version) AS first_version,
    GREATEST(p.last_version, w.last_version) AS last_version
  FROM summed_parts AS p
  LEFT JOIN summed_wholes AS w
    ON
      p.window_start = w.window_start
      AND p.granularity = w.granularity
      AND p.breakdown = w.breakdown
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
  window_start, granularity, last_day, breakdown, breakdown_value, facet, facet_value,
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
