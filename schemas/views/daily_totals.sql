-- One row a UTC day: conversations that started in it, their users, and the headline slices.
-- A null says that the figure was not released. Users of a day are distinct; of several days they
-- can't be added up, for somebody may come on each.
-- Source: METRICS.md, "Measures".
SELECT
  window_start,
  MAX(IF(facet = 'all', conversations, NULL)) AS conversations,
  MAX(IF(facet = 'all', users, NULL)) AS users,
  MAX(IF(facet = 'use', conversations, NULL)) AS affective_conversations,
  MAX(IF(facet = 'use', users, NULL)) AS affective_users,
  MAX(IF(facet = 'long', conversations, NULL)) AS long_conversations,
  MAX(IF(facet = 'pushback', conversations, NULL)) AS pushback_conversations
FROM `{dataset}.aggregates_latest`
WHERE
  granularity = 'day'
  AND breakdown = 'overall'
  AND (
    (facet IN ('all', 'long', 'pushback') AND facet_value = 'all')
    OR (facet = 'use' AND facet_value = 'affective')
  )
GROUP BY window_start
