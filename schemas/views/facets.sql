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
  'The need that a conversation serves. A conversation may have several types.' AS definition
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
  'Conversations of more than 50 human messages: among all, among the affective ones, or among those of a type.' AS definition
UNION ALL
SELECT
  'sentiment' AS facet,
  'none' AS share_of,
  'none' AS correction,
  'Conversations of 6 or more human messages, which have a change of mood: among all, among the affective ones, or among those of a type.' AS definition
UNION ALL
SELECT
  'pushback' AS facet,
  'group' AS share_of,
  'inside' AS correction,
  'Conversations in which the assistant refuses, resists or challenges something at least once: among all, or among those of a type that the study reports.' AS definition
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
  'long_opening' AS share_of,
  'none' AS correction,
  'Drift of conversations of more than 50 human messages.' AS definition
UNION ALL
SELECT
  'opening' AS facet,
  'all' AS share_of,
  'none' AS correction,
  'Type of the first three human messages.' AS definition
UNION ALL
SELECT
  'drift_headline' AS facet,
  'first_value' AS share_of,
  'none' AS correction,
  'Conversations that open as coaching or counseling, and those of them that close as companionship.' AS definition
UNION ALL
SELECT
  'opening_long' AS facet,
  'long' AS share_of,
  'none' AS correction,
  'Type of the opening of conversations of more than 50 human messages.' AS definition
UNION ALL
SELECT
  'drift_long_headline' AS facet,
  'first_value' AS share_of,
  'none' AS correction,
  'Conversations of more than 50 human messages that open as coaching or counseling, and those of them that close as companionship.' AS definition
UNION ALL
SELECT
  'companionship_and_roleplay' AS facet,
  'all' AS share_of,
  'union' AS correction,
  'Conversations of at least one of the types companionship, romantic roleplay and roleplay.' AS definition
