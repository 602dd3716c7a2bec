-- Every reported share, raw and corrected. The raw share comes from `raw_ratios`. The corrected
-- share takes out the classifier's misses and false alarms, by the rates of
-- `classifier_rates_latest`. The views of measures read from here.
-- `corrected_low` and `corrected_high` are a 95 % interval. It covers chance in the counts and in
-- the rates. It does not cover a difference between these conversations and those on which the
-- rates were measured. An interval of 0 to 0 is a sign of such a difference: fewer were counted
-- than false alarms alone should give.
-- The corrected share is null in five cases: a rate that it needs was not measured, or not on enough
-- data to support a correction (transforms/estimation/rates.py); the true and the false positive
-- rate are within 0.1 of each other; it needs counts of several classifier versions, and each version
-- has its own rates; a count that it needs was withheld; or it is a use other than `affective`. In the
-- breakdown `language`, a language's own rates are used if there are any. Everywhere else, the rates
-- of `all` are used.
-- A conversation has exactly one use, so corrected uses must sum to one. Corrected one by one, they
-- do not. The report corrects them together (transforms/estimation/uses.py), which SQL can't.
-- If `raw_share` is a lower bound (`withheld` is not 0), so is `corrected_share`. Then
-- `corrected_high` is null, because it is unknown how much more the share may be.
-- How a share is corrected depends on `way`:
-- `counted`: length bins, and long conversations as a share of all. They are counted, not
-- classified, so there is nothing to correct: the raw share and its interval are repeated.
-- `direct`: affective use, types and pushback as a share of all, and types among the long conversations.
-- Share: (raw - FPR) / (TPR - FPR), Rogan and Gladen 1978. Interval: Lang and Reiczigel 2014 (Prev.
-- Vet. Med. 113:13), which keeps its level even if the rates come from few labelled conversations.
-- Both are clipped to 0 .. 1.
-- `quotient`: types of the affective conversations, and reasons of those with pushback. Share:
-- corrected (part of all) / corrected (whole of all). Interval: the delta method on the logarithms,
-- with the two taken as independent. They are not: they use the same counts and the same labelled
-- conversations, so if one is too large, so is the other. Independence overstates the spread of
-- their quotient, so the interval is too wide rather than too narrow. If the part is 0, the
-- interval has no upper end.
-- `inside`: long conversations or pushback within a type or the affective conversations. If no
-- conversation truly belonged to the whole, false alarms would be a share w = FPR * all / whole of
-- it. They are long (have pushback) as often as all conversations are, a share of r. Their
-- contribution to the raw share is taken away: (raw - w * r) / (1 - w), which equals (part - FPR *
-- alike) / (whole - FPR * all). Interval: the raw share's interval under the same formula, with the
-- chance in w and r added in squares on either side (MOVER, Zou and Donner 2008). Pushback is then
-- also corrected for the detector's own errors, as in `direct`, and the chance in those is added in
-- the same way. If the interval of the corrected whole reaches 0, all of it may be false alarms,
-- and there is no corrected share within it.
-- Assumptions: these conversations are a mix like those on which the rates were measured. Errors
-- are as frequent in long conversations as in short ones, with pushback as without, and in each
-- value of a breakdown. Errors about type and errors about pushback are independent.
-- Drift is not corrected. That would need the matrix inverted with a rate for every pair of types,
-- and most cells of a matrix are withheld.
-- Source: docs/metrics.md, "Estimates carry intervals"; rates: transforms/estimation/rates.py.
WITH raw AS (
  SELECT
    r.*,
    CASE
      WHEN r.facet = 'use' AND r.facet_value <> 'affective' THEN 'none'
      WHEN r.facet = 'long' AND r.facet_value = 'all' THEN 'counted'
      WHEN r.facet = 'pushback' AND r.facet_value = 'all' THEN 'direct'
      WHEN r.whole_facet = 'long' THEN 'direct'
      WHEN r.facet = 'type' AND r.whole_facet = 'use' THEN 'quotient'
      ELSE f.correction
    END AS way,
    IF(r.breakdown = 'language', r.breakdown_value, 'all') AS language,
    1.959964 AS z
  FROM `{dataset}.raw_ratios` AS r
  LEFT JOIN `{dataset}.facets` AS f ON r.facet = f.facet
),

languages AS (
  SELECT DISTINCT language FROM raw
),

rates AS (
  SELECT
    l.language, r.classifier_version, r.facet AS rate_facet, r.facet_value AS rate_value,
    r.true_positives, r.positives, r.false_positives, r.negatives,
    ROW_NUMBER() OVER (
      PARTITION BY l.language, r.classifier_version, r.facet, r.facet_value
      ORDER BY IF(r.language = 'all', 1, 0)
    ) AS choice
  FROM languages AS l
  INNER JOIN `{dataset}.classifier_rates_latest` AS r
    ON r.language IN (l.language, 'all')
),

-- What was classified of a row: its part, its whole, or both. Each is a share of all conversations,
-- or of all long ones.
classified AS (
  SELECT
    window_start, granularity, breakdown, breakdown_value, facet, facet_value, whole_facet,
    'part' AS side, language, classifier_version, z,
    CASE
      WHEN facet <> 'long' THEN facet
      WHEN facet_value = 'affective' THEN 'use'
      ELSE 'type'
    END AS rate_facet,
    facet_value AS rate_value, conversations AS hits,
    IF(way = 'direct', whole_conversations, all_conversations) AS tried
  FROM raw
  WHERE way IN ('direct', 'quotient')
  UNION ALL
  SELECT
    window_start, granularity, breakdown, breakdown_value, facet, facet_value, whole_facet,
    'part' AS side, language, classifier_version, z,
    'pushback' AS rate_facet, 'all' AS rate_value,
    alike_conversations AS hits, all_conversations AS tried
  FROM raw
  WHERE way = 'inside' AND facet = 'pushback'
  UNION ALL
  SELECT
    window_start, granularity, breakdown, breakdown_value, facet, facet_value, whole_facet,
    'whole' AS side, language, classifier_version, z,
    whole_facet AS rate_facet, whole_value AS rate_value,
    whole_conversations AS hits, all_conversations AS tried
  FROM raw
  WHERE way IN ('quotient', 'inside')
),

-- Names follow Lang and Reiczigel: p is the share of those tried, then Se and Sp. A name with `1`
-- is the shrunken value.
shrunken AS (
  SELECT
    c.*,
    c.hits / c.tried AS p,
    r.true_positives / r.positives AS se,
    r.false_positives / r.negatives AS fpr,
    c.tried + c.z * c.z AS n1,
    (c.hits + c.z * c.z / 2) / (c.tried + c.z * c.z) AS p1,
    r.positives + 2 AS n_se1,
    (r.true_positives + 1) / (r.positives + 2) AS se1,
    r.negatives + 2 AS n_sp1,
    (r.negatives - r.false_positives + 1) / (r.negatives + 2) AS sp1
  FROM classified AS c
  INNER JOIN rates AS r
    ON
      c.language = r.language
      AND c.classifier_version = r.classifier_version
      AND c.rate_facet = r.rate_facet
      AND c.rate_value = r.rate_value
  WHERE
    r.choice = 1 AND r.positives > 0 AND r.negatives > 0
    -- In a stream, the whole may be an older version that is smaller than its part.
    AND c.hits <= c.tried AND c.tried > 0
),

solved AS (
  SELECT
    *,
    (p - fpr) / (se - fpr) AS share,
    se1 + sp1 - 1 AS gain1,
    (p1 + sp1 - 1) / (se1 + sp1 - 1) AS share1,
    se1 * (1 - se1) / n_se1 AS se_variance,
    sp1 * (1 - sp1) / n_sp1 AS sp_variance
  FROM shrunken
  WHERE se1 + sp1 - 1 > 0.1 AND se - fpr > 0.1
),

spread AS (
  SELECT
    *,
    share1 + 2 * z * z * (share1 * se_variance - (1 - share1) * sp_variance) AS middle,
    SQRT(
      p1 * (1 - p1) / n1 + share1 * share1 * se_variance
      + (1 - share1) * (1 - share1) * sp_variance
    ) / gain1 AS error
  FROM solved
),

paired AS (
  SELECT
    r.*,
    p.share AS part_share, p.middle AS part_middle, p.error AS part_error,
    LEAST(GREATEST(p.share, 0), 1) AS part_clipped,
    p.se - p.fpr AS part_gain, p.fpr AS part_fpr, p.gain1 AS part_gain1,
    p.se_variance AS part_se_variance, p.sp_variance AS part_sp_variance,
    LEAST(GREATEST(w.share, 0), 1) AS inner_clipped,
    w.error AS inner_error, w.middle - w.z * w.error AS inner_low,
    w.fpr * r.all_conversations / r.whole_conversations AS false_part,
    r.all_conversations / r.whole_conversations AS all_of_whole,
    w.sp_variance AS inner_sp_variance,
    r.alike_conversations / r.all_conversations AS alike
  FROM raw AS r
  LEFT JOIN spread AS p
    ON
      r.window_start = p.window_start
      AND r.granularity = p.granularity
      AND r.breakdown = p.breakdown
      AND r.breakdown_value = p.breakdown_value
      AND r.facet = p.facet
      AND r.facet_value = p.facet_value
      AND r.whole_facet = p.whole_facet
      AND p.side = 'part'
  LEFT JOIN spread AS w
    ON
      r.window_start = w.window_start
      AND r.granularity = w.granularity
      AND r.breakdown = w.breakdown
      AND r.breakdown_value = w.breakdown_value
      AND r.facet = w.facet
      AND r.facet_value = w.facet_value
      AND r.whole_facet = w.whole_facet
      AND w.side = 'whole'
),

limited AS (
  SELECT
    *,
    IF(way = 'quotient' AND inner_clipped > 0, inner_clipped, NULL) AS divisor,
    IF(
      way = 'inside' AND inner_low > 0 AND false_part < 1
      AND alike_conversations <= all_conversations,
      1 - false_part,
      NULL
    ) AS true_part
  FROM paired
),

-- For `quotient`, the share and the spread of its logarithm. For `inside`, the share and its
-- variance beyond that of the raw share.
prepared AS (
  SELECT
    *,
    part_clipped / divisor AS quotient,
    SQRT(
      POW(part_error / NULLIF(part_clipped, 0), 2) + POW(inner_error / divisor, 2)
    ) AS log_error,
    (raw_share - false_part * alike) / true_part AS inside,
    POW((raw_share - alike) / POW(true_part, 2), 2)
    * (
      all_of_whole * all_of_whole * inner_sp_variance
      + false_part * false_part * (1 / whole_conversations - 1 / all_conversations)
    )
    + POW(false_part / true_part, 2) * alike * (1 - alike) / all_conversations AS inside_variance
  FROM limited
),

widened AS (
  SELECT
    *,
    SQRT(POW((raw_share - share_low) / true_part, 2) + z * z * inside_variance) AS below,
    SQRT(POW((share_high - raw_share) / true_part, 2) + z * z * inside_variance) AS above,
    (inside - part_fpr) / part_gain AS inside_corrected
  FROM prepared
),

detected AS (
  SELECT
    *,
    SQRT(
      below * below + z * z * (
        inside_corrected * inside_corrected * part_se_variance
        + (1 - inside_corrected) * (1 - inside_corrected) * part_sp_variance
      )
    ) / part_gain1 AS detected_below,
    SQRT(
      above * above + z * z * (
        inside_corrected * inside_corrected * part_se_variance
        + (1 - inside_corrected) * (1 - inside_corrected) * part_sp_variance
      )
    ) / part_gain1 AS detected_above
  FROM widened
),

corrected AS (
  SELECT
    *,
    CASE
      WHEN way = 'counted' THEN raw_share
      WHEN raw_share IS NULL THEN NULL
      WHEN way = 'direct' THEN part_share
      WHEN way = 'quotient' THEN quotient
      WHEN way = 'inside' AND facet = 'long' THEN inside
      WHEN way = 'inside' THEN inside_corrected
    END AS corrected_share_unclipped,
    CASE
      WHEN way = 'counted' THEN share_low
      WHEN raw_share IS NULL THEN NULL
      WHEN way = 'direct' THEN part_middle - z * part_error
      WHEN way = 'quotient' AND quotient = 0 THEN 0
      WHEN way = 'quotient' THEN quotient / EXP(LEAST(z * log_error, 50))
      WHEN way = 'inside' AND facet = 'long' THEN inside - below
      WHEN way = 'inside' THEN inside_corrected - detected_below
    END AS corrected_low_unclipped,
    CASE
      WHEN way = 'counted' THEN share_high
      WHEN raw_share IS NULL OR withheld IS NULL OR withheld > 0 THEN NULL
      WHEN way = 'direct' THEN part_middle + z * part_error
      WHEN way = 'quotient' THEN quotient * EXP(LEAST(z * log_error, 50))
      WHEN way = 'inside' AND facet = 'long' THEN inside + above
      WHEN way = 'inside' THEN inside_corrected + detected_above
    END AS corrected_high_unclipped
  FROM detected
)

SELECT
  window_start, granularity, last_day, breakdown, breakdown_value, facet, facet_value,
  whole_facet, whole_value, conversations, users, days, whole_conversations, whole_days,
  withheld, raw_share, share_low, share_high,
  LEAST(GREATEST(corrected_share_unclipped, 0), 1) AS corrected_share,
  LEAST(GREATEST(corrected_low_unclipped, 0), 1) AS corrected_low,
  LEAST(GREATEST(corrected_high_unclipped, 0), 1) AS corrected_high,
  classifier_version
FROM corrected
