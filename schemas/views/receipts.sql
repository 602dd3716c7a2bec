-- How the numbers of each current publication were protected, and by which versions they were made.
-- A number of conversations has noise of at most `max_noise`, so it is off by no more than that. A
-- cell is published from `min_users` users and `min_conversations` conversations on. If `is_exact`
-- is true, there is neither noise nor threshold, and a missing cell is a true zero.
-- Source: transforms/publishing/policy.py; docs/privacy.md.
SELECT
  window_kind, window_start, window_end, publication, version,
  CAST(JSON_VALUE(policy, '$.min_users') AS INT64) AS min_users,
  CAST(JSON_VALUE(policy, '$.min_conversations') AS INT64) AS min_conversations,
  CAST(JSON_VALUE(policy, '$.noise_variance') AS FLOAT64) AS noise_variance,
  CAST(JSON_VALUE(policy, '$.max_noise') AS INT64) AS max_noise,
  CAST(JSON_VALUE(policy, '$.max_values') AS INT64) AS max_values,
  CAST(JSON_VALUE(policy, '$.max_noise') AS INT64) = 0
  AND CAST(JSON_VALUE(policy, '$.min_users') AS INT64) = 1
  AND CAST(JSON_VALUE(policy, '$.min_conversations') AS INT64) = 1 AS is_exact,
  key_id, metrics_version, classifier_version, rates
FROM `{dataset}.publications_current`
