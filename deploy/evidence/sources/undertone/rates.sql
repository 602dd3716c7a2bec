-- How often the classifier is wrong. The corrected shares are computed from these rates.
SELECT
  classifier_version, language, facet, facet_value,
  true_positives, positives, false_positives, negatives
FROM ${dataset}.classifier_rates_latest
