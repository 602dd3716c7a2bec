-- The share of the conversations that is of each type (facet `type`) and each use (facet `use`),
-- with 95 % intervals. The share of affective conversations is `use` = `affective`. The affective
-- types are also given as a share of the affective conversations. Types need not add up to one,
-- because a conversation may have several. For raw and corrected shares, see `ratios`.
-- Source: docs/metrics.md, "share of affective conversations" and "share of each type".
SELECT
  a.window_start, a.granularity, a.last_day,
  a.breakdown, a.breakdown_value, a.facet, a.facet_value,
  a.conversations, a.users, a.days,
  a.whole_conversations AS all_conversations, a.whole_days AS all_days,
  a.raw_share, a.share_low, a.share_high,
  a.corrected_share, a.corrected_low, a.corrected_high,
  b.whole_conversations AS affective_conversations,
  b.raw_share AS raw_share_of_affective,
  b.share_low AS share_of_affective_low,
  b.share_high AS share_of_affective_high,
  b.corrected_share AS corrected_share_of_affective,
  b.corrected_low AS corrected_share_of_affective_low,
  b.corrected_high AS corrected_share_of_affective_high,
  a.classifier_version
FROM `{dataset}.ratios` AS a
LEFT JOIN `{dataset}.ratios` AS b
  ON
    a.window_start = b.window_start
    AND a.granularity = b.granularity
    AND a.breakdown = b.breakdown
    AND a.breakdown_value = b.breakdown_value
    AND a.facet = b.facet
    AND a.facet_value = b.facet_value
    AND b.whole_facet = 'use'
WHERE a.facet IN ('type', 'use') AND a.whole_facet = 'all'
