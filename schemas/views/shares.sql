-- The share of the conversations that is of each type (facet `type`) and each use (facet `use`). The
-- share of affective conversations is `use` = `affective`. The affective types are also given as a
-- share of the affective conversations; `share_of` tells the two apart. Types need not add up to
-- one, because a conversation may have several.
-- Source: docs/metrics.md, "share of affective conversations" and "share of each type".
SELECT
  window_kind, window_start, window_end, breakdown, breakdown_value,
  facet, facet_value, whole_value AS share_of, conversations, whole_conversations,
  COALESCE(corrected, raw) AS share, low, high, method, raw AS raw_share
FROM `{dataset}.figures_current`
WHERE measure = 'share' AND facet IN ('type', 'use')
