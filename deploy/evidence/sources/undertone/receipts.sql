-- How the numbers of each window were protected.
SELECT
  window_kind, window_start, publication, version, min_users, min_conversations, noise_variance, max_noise,
  max_values, is_exact, key_id, metrics_version, classifier_version
FROM ${dataset}.receipts
WHERE window_kind <> 'hour'
