-- The facets: what each is a share of, how that share is corrected, and what it means.
-- Generated from transforms/facets by `make generate`.
-- Source: transforms/facets.
SELECT
  'all' AS facet,
  'none' AS share_of,
  'counted' AS correction,
  'Every conversation.' AS definition
UNION ALL
SELECT
  'type' AS facet,
  'all' AS share_of,
  'direct' AS correction,
  'What need a conversation serves. A conversation may be of several types.' AS definition
UNION ALL
SELECT
  'use' AS facet,
  'all' AS share_of,
  'direct' AS correction,
  'What a conversation is for. Each conversation has exactly one use.' AS definition
UNION ALL
SELECT
  'length' AS facet,
  'all' AS share_of,
  'counted' AS correction,
  'Human messages of a conversation, in bins.' AS definition
UNION ALL
SELECT
  'long' AS facet,
  'group' AS share_of,
  'inside' AS correction,
  'More than 50 human messages; of all, of the affective ones or of a type.' AS definition
UNION ALL
SELECT
  'sentiment' AS facet,
  'none' AS share_of,
  'none' AS correction,
  '6 or more human messages, so that the change of mood is defined; of all, of the affective ones, or of a type.' AS definition
UNION ALL
SELECT
  'pushback' AS facet,
  'group' AS share_of,
  'inside' AS correction,
  'The assistant refuses, resists or challenges something at least once; of all, or of a type that the study reports.' AS definition
UNION ALL
SELECT
  'pushback_reason' AS facet,
  'pushback' AS share_of,
  'quotient' AS correction,
  'Why the assistant pushes back. A conversation may have several reasons.' AS definition
UNION ALL
SELECT
  'drift' AS facet,
  'opening' AS share_of,
  'none' AS correction,
  'Type of the first three human messages > type of the last three.' AS definition
UNION ALL
SELECT
  'drift_long' AS facet,
  'opening' AS share_of,
  'none' AS correction,
  'Drift of conversations of more than 50 human messages.' AS definition
