-- How often the classifier errs: what the corrections rest on.
SELECT
  classifier_version, language, facet, facet_value,
  true_positives, positives, false_positives, negatives
FROM ${dataset}.classifier_rates_latest
