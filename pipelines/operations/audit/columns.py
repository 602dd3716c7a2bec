"""Looks for numbers that analysts should not see: undeclared tables and columns, small counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from pipelines.operations.audit.evidence import Finding, Row
from schemas.published import PUBLISHED_TABLES
from schemas.views import PUBLISHED_VIEWS
from transforms.publishing.policy import Policy

ATTACK: Final = "numbers that are not meant to be published"
_NUMBERS: Final = ("conversations", "whole_conversations")
_COLUMNS: Final = {t.name: frozenset(c.name for c in t.columns) for t in PUBLISHED_TABLES}


def find_tables(names: Iterable[str]) -> Iterator[Finding]:
    """Yields a finding for each table or view of the analysts' dataset that is not declared."""
    for name in sorted(set(names) - _COLUMNS.keys() - set(PUBLISHED_VIEWS)):
        yield Finding(ATTACK, f"the published dataset has {name}, which is not a published table")


def find_numbers(tables: Mapping[str, Sequence[Row]], policy: Policy | None) -> Iterator[Finding]:
    """Yields a finding for each undeclared column, and for each column with too small counts.

    Args:
      tables: rows of the published tables.
      policy: the policy with the lowest thresholds; None if some numbers are the operator's own,
        which may be small.
    """
    for table, rows in tables.items():
        columns = {column for row in rows for column in row}
        for column in sorted(columns - _COLUMNS.get(table, frozenset())):
            yield Finding(ATTACK, f"table {table} has a column {column}, which is not declared")
        if policy is None:
            continue
        least = policy.min_conversations - policy.max_noise
        for column in (c for c in _NUMBERS if c in columns):
            small = sum(1 for row in rows if row[column] is not None and row[column] < least)
            if small:
                yield Finding(
                    ATTACK,
                    f"column {table}.{column} has {small:,} numbers below {least}, which no cell "
                    f"of {policy.min_conversations} conversations or more can have",
                )
