"""Looks for identifiers and text in the tables.

Two things are checked. Every text in a published table must be one of the expected words. No table
at all may have an id, or a hash of an id that anyone can compute without a secret.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from pipelines.operations.audit.evidence import Finding, Row
from schemas.breakdowns import ATTRIBUTES, OTHER, RESERVED, UNKNOWN
from schemas.judged import JUDGE_VERSION
from schemas.labels import NO_TYPE, TYPES
from schemas.published import (
    COMMITTED,
    CORRECTED,
    COUNTED,
    FALSE_ALARMS,
    JUDGED,
    MEAN_CHANGE,
    RAW,
    RECALL,
    SHARE,
    WITHDRAWN,
)
from schemas.wire.values import ANY_VALUE, clean_values
from transforms.counting.cells import BREAKDOWN_IDS
from transforms.counting.windows import KINDS
from transforms.facets.facet import ALL
from transforms.facets.registry import BY_NAME, FACETS, INDEX, Slice
from transforms.publishing.policy import Policy
from transforms.publishing.relations import OVERALL, depends_on_traits

ATTACK: Final = "identifiers and text"
HASH_ATTACK: Final = "unkeyed hashes"
MOST_GUESSES: Final = 20_000
"""Ids of the usual forms that the audit guesses: `user-0` and so on."""

_GUESSED_FORMS: Final = ("{}", "user{}", "user-{}", "user_{}", "u{}", "conversation-{}", "c{}")
_SHORTEST_HASH: Final = 8
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_IDENTIFIER: Final = re.compile(
    r"[0-9a-fA-F]{16,}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
)
_PUBLICATION: Final = re.compile(rf"({'|'.join(KINDS)})/[0-9TW.\-]{{4,24}}/[1-9][0-9]{{0,5}}")
_KEY_ID: Final = re.compile(r"[0-9a-f]{0,64}")
_METRICS_VERSION: Final = re.compile(r"[0-9.]{1,10}")
_CLASSIFIER_VERSIONS: Final = re.compile(r"[A-Za-z0-9._+-]{1,80}(,[A-Za-z0-9._+-]{1,80}){0,19}")
_JUDGES: Final = re.compile(rf"([a-z]{{1,20}}) ({JUDGE_VERSION.pattern})|")
_SHORTEST_KNOWN_ID: Final = 6
"""Shorter known ids are compared with whole values only."""

_FACET_NAMES: Final = frozenset(BY_NAME)
_FACET_VALUES: Final = frozenset(
    v for facet in FACETS for v in facet.values) | {*TYPES, NO_TYPE, ALL}  # fmt: skip


def find_words(tables: Mapping[str, Sequence[Row]]) -> Iterator[Finding]:
    """Yields a finding for each column of a published table with a text that should not be there.

    No finding repeats the text, because nobody may read it if it is an id or a message.
    """
    for table, rows in tables.items():
        strange: defaultdict[str, set[str]] = defaultdict(set)
        for row in rows:
            for column, value in row.items():
                if isinstance(value, str) and not _is_meant(row, column, value):
                    strange[column].add(value)
        for column, texts in strange.items():
            yield Finding(
                ATTACK,
                f"column {table}.{column} has {len(texts):,} texts that are not among its words, "
                f"the longest with {max(map(len, texts))} characters",
            )


def _is_meant(row: Row, column: str, value: str) -> bool:
    if column == "breakdown_value":
        return is_value(str(row.get("breakdown")), value)
    if column == "facet_value":
        return Slice(str(row.get("facet")), value) in INDEX or value in _FACET_VALUES
    known = _MEANT.get(column)
    return known is not None and known(value)


def is_value(breakdown: str, value: str) -> bool:
    """Tells whether a breakdown may have a value in the tables."""
    if breakdown == OVERALL:
        return value == ALL
    if depends_on_traits(breakdown):
        return value in BY_NAME[breakdown].values
    if breakdown not in ATTRIBUTES or value in RESERVED or _IDENTIFIER.fullmatch(value):
        return False
    if value in {UNKNOWN, OTHER}:
        return True
    stated = tuple(value if name == breakdown else None for name in ATTRIBUTES)
    return clean_values(stated, ANY_VALUE).values == stated


def _is_policy(text: str) -> bool:
    try:
        return Policy.decode(text).encode() == text
    except (ValueError, TypeError, KeyError):
        return False


def _matches(pattern: re.Pattern[str], text: str) -> bool:
    return pattern.fullmatch(text) is not None


def is_judge_version(text: str) -> bool:
    """Tells whether a text may be the version of a judge."""
    return _matches(JUDGE_VERSION, text) and not _IDENTIFIER.search(text)


def _is_judge(text: str) -> bool:
    return _matches(_JUDGES, text) and not _IDENTIFIER.search(text)


COMMON_WORDS: Final[Mapping[str, Callable[[str], bool]]] = {
    "key_id": partial(_matches, _KEY_ID),
    "metrics_version": partial(_matches, _METRICS_VERSION),
    "classifier_version": partial(_matches, _CLASSIFIER_VERSIONS),
}
"""Columns that published and restricted tables have in common."""

_MEANT: Final[Mapping[str, Callable[[str], bool]]] = {
    **COMMON_WORDS,
    "rates": partial(_matches, _KEY_ID),
    "judge": _is_judge,
    "publication": partial(_matches, _PUBLICATION),
    "status": {COMMITTED, WITHDRAWN}.__contains__,
    "window_kind": KINDS.__contains__,
    "breakdown": BREAKDOWN_IDS.__contains__,
    "policy": _is_policy,
    "facet": _FACET_NAMES.__contains__,
    "whole_facet": _FACET_NAMES.__contains__,
    "whole_value": _FACET_VALUES.__contains__,
    "measure": {SHARE, MEAN_CHANGE, RECALL, FALSE_ALARMS}.__contains__,
    "method": {COUNTED, RAW, CORRECTED, JUDGED}.__contains__,
}


def find_known_ids(
    tables: Mapping[str, Sequence[Row]], known_ids: Iterable[str]
) -> Iterator[Finding]:
    """Yields a finding for each column that holds a known id, or an unkeyed hash of an id.

    Args:
      tables: rows of any tables, also of restricted ones.
      known_ids: ids of users, conversations or events that the tables may have been made from.
    """
    known = frozenset(known_ids)
    long_ones = sorted(i for i in known if len(i) >= _SHORTEST_KNOWN_ID)
    inside = re.compile("|".join(map(re.escape, long_ones))) if long_ones else None
    texts = _texts(tables)
    hashes = _hashes(
        [*known, *_guesses()], {len(t) for found in texts.values() for t in found if _is_hex(t)}
    )
    for (table, column), values in texts.items():
        plain = sum(1 for v in values if v in known or (inside and inside.search(v)))
        if plain:
            yield Finding(ATTACK, f"column {table}.{column} holds {plain:,} known ids")
        guessed = sum(1 for v in values if v.lower() in hashes)
        if guessed:
            yield Finding(
                HASH_ATTACK,
                f"column {table}.{column} holds {guessed:,} hashes without a secret key: guessing "
                "ids and hashing them finds whose they are",
            )


def _texts(tables: Mapping[str, Sequence[Row]]) -> dict[tuple[str, str], set[str]]:
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for table, rows in tables.items():
        for row in rows:
            for column, value in row.items():
                if isinstance(value, bytes | str):
                    text = value if isinstance(value, str) else value.hex()
                    found[table, column].add(text)
    return found


def _is_hex(text: str) -> bool:
    return len(text) >= _SHORTEST_HASH and _HEX.fullmatch(text) is not None


def _guesses() -> Iterator[str]:
    yield ""
    for form in _GUESSED_FORMS:
        for number in range(MOST_GUESSES // len(_GUESSED_FORMS)):
            yield form.format(number)


def _hashes(ids: Iterable[str], lengths: set[int]) -> set[str]:
    """Returns the usual hashes of the ids, cut to the lengths that occur in the tables."""
    if not lengths:
        return set()
    return {
        digest[:length]
        for text in ids
        for digest in _digests(text.encode())
        for length in lengths
        if length <= len(digest)
    }


def _digests(text: bytes) -> Iterator[str]:
    for name in ("md5", "sha1", "sha256", "sha512", "blake2b", "blake2s"):
        yield hashlib.new(name, text, usedforsecurity=False).hexdigest()
    for size in (8, 16, 20, 32):  # A shorter blake2b is another hash, not a prefix.
        yield hashlib.blake2b(text, digest_size=size).hexdigest()
