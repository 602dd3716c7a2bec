-- How well the classifier does on these conversations, by the judged sample. `recall`: of the
-- conversations that the judge puts into `facet_value`, the share that the classifier finds.
-- `false_alarms`: of all others, the share that it puts there too. `card_recall` and
-- `card_false_alarms` are what was measured on other conversations: by the model card, or by the
-- rates that the operator gave. A rate is null if too few conversations of its kind were judged.
-- Source: transforms/watching; docs/labels.md, "On your own traffic".
SELECT
  window_kind, window_start, window_end, breakdown, breakdown_value, facet, facet_value,
  MAX(IF(measure = 'recall', corrected, NULL)) AS recall,
  MAX(IF(measure = 'recall', low, NULL)) AS recall_low,
  MAX(IF(measure = 'recall', high, NULL)) AS recall_high,
  MAX(IF(measure = 'recall', raw, NULL)) AS card_recall,
  MAX(IF(measure = 'false_alarms', corrected, NULL)) AS false_alarms,
  MAX(IF(measure = 'false_alarms', low, NULL)) AS false_alarms_low,
  MAX(IF(measure = 'false_alarms', high, NULL)) AS false_alarms_high,
  MAX(IF(measure = 'false_alarms', raw, NULL)) AS card_false_alarms
FROM `{dataset}.figures_current`
WHERE measure IN ('recall', 'false_alarms')
GROUP BY
  window_kind, window_start, window_end, breakdown, breakdown_value, facet, facet_value
