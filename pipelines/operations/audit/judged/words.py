"""Looks for text in the tables of candidates, sample and judgements, and in the journal.

No finding repeats what it found.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from pipelines.judging.journal import JOURNAL_FILE
from pipelines.operations.audit.evidence import Finding, Row
from pipelines.operations.audit.words import ATTACK, COMMON_WORDS, is_judge_version, is_value
from pipelines.sinks.database import RESTRICTED_FOLDER
from schemas.breakdowns import ATTRIBUTES
from schemas.judged import CANDIDATES, JUDGEMENTS, SAMPLE, STATUSES, JudgementRow, split_names
from schemas.labels import NO_TYPE, PUSHBACK_REASONS, TYPES, USES
from schemas.tables import BATCH, STREAM
from transforms.counting.candidates import candidates_of_text

JOURNAL: Final = JUDGEMENTS.name + " (journal)"
_TABLES: Final = (CANDIDATES.name, SAMPLE.name, JUDGEMENTS.name, JOURNAL)
_HASH: Final = re.compile(r"[0-9a-f]{32}")
_JUDGE: Final = re.compile(r"[a-z]{1,20}")


def journal_of(folder: Path) -> list[Row]:
    """Returns the rows of the journal of a run's judgements; none if there is no journal.

    A line that is not a judgement becomes a row of one column, so that the attacks see it. The last
    line may be cut off by a crash. It counts too, because it is on the disk.
    """
    file = folder / RESTRICTED_FOLDER / JOURNAL_FILE
    lines = file.read_bytes().splitlines() if file.exists() else []
    return [_journal_row(line) for line in lines]


def _journal_row(line: bytes) -> Row:
    try:
        row = msgspec.json.decode(line, type=JudgementRow)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {"line": line.decode("utf-8", "replace")}
    return msgspec.structs.asdict(row)


def find_judged_words(tables: Mapping[str, Sequence[Row]]) -> Iterator[Finding]:
    """Yields a finding for each column of these tables with a text that should not be there."""
    for table in _TABLES:
        strange: defaultdict[str, set[str]] = defaultdict(set)
        for row in tables.get(table, ()):
            for column, value in row.items():
                if isinstance(value, str) and not _is_meant(column, value):
                    strange[column].add(value)
        for column, texts in strange.items():
            yield Finding(
                ATTACK,
                f"column {table}.{column} has {len(texts):,} texts that are not among its words, "
                f"the longest with {max(map(len, texts))} characters",
            )


def _is_meant(column: str, value: str) -> bool:
    known = _MEANT.get(column)
    return known is not None and known(value)


def _are_among(*names: str) -> Callable[[str], bool]:
    known = frozenset(names)
    return lambda text: known.issuperset(split_names(text))


def _are_breakdowns(text: str) -> bool:
    try:
        values = json.loads(text)
    except ValueError:
        return False
    return (
        isinstance(values, dict)
        and set(values) <= set(ATTRIBUTES)
        and all(isinstance(v, str) and is_value(name, v) for name, v in values.items())
    )


def _are_candidates(text: str) -> bool:
    try:
        candidates = candidates_of_text(text)
    except (ValueError, msgspec.DecodeError):
        return False
    stated = {each.profile.stated for each in candidates}
    return all(
        is_value(name, value)
        for values in stated
        for name, value in zip(ATTRIBUTES, values, strict=True)
    )


_MEANT: Final[Mapping[str, Callable[[str], bool]]] = {
    **COMMON_WORDS,
    "conversation": lambda text: _HASH.fullmatch(text) is not None,
    "candidates": _are_candidates,
    "breakdowns": _are_breakdowns,
    "origin": {STREAM, BATCH}.__contains__,
    "use": _are_among(*USES),
    "types": _are_among(*TYPES),
    "opening_type": _are_among(NO_TYPE, *TYPES),
    "closing_type": _are_among(NO_TYPE, *TYPES),
    "pushback_reasons": _are_among(*PUSHBACK_REASONS),
    "judge": lambda text: _JUDGE.fullmatch(text) is not None,
    "judge_version": is_judge_version,
    "status": STATUSES.__contains__,
}
