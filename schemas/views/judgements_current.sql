-- The current judgements in the append-only table `judgements`: for each conversation and judge, the
-- last one. That the archive lacked a conversation never replaces a judgement, because archives
-- delete old files.
-- Source: schemas/judged.py, `JUDGEMENTS`.
WITH ranked AS (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY conversation, started_at, judge
      ORDER BY IF(status = 'missing', 0, 1) DESC, judged_at DESC
    ) AS age
  FROM `{restricted}.judgements`
)

SELECT * EXCEPT (age)
FROM ranked
WHERE age = 1
