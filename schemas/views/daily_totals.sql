-- A row per UTC day: conversations that started on it, their users, and the headline slices. Null
-- means that the figure was not released. Users are distinct within a day. They can't be added up
-- over days, because a user may come on several.
-- Source: docs/metrics.md, "Measures".
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
