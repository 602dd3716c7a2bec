"""Reads the facts about a run: the input, settings, versions and ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines.report.wording import readable
from schemas.failures import InputError
from transforms.counting.ledger import DEAD_LETTER, FATES, OTHER_VALUE, READ

RUN_FILE: Final = "run.json"


_SYNTHESISED: Final[Mapping[str, str]] = {
    "sent_at_us": "The input gives no times. Undertone made them up, so days, hours and the pauses "
    "that end a conversation mean nothing here.",
    "user_id": "The input names no users. Undertone made them up, so the threshold on the number "
    "of users protects nobody here.",
}


@dataclass(frozen=True)
class Run:
    """The contents of `run.json`. Fields that are missing from the file are empty."""

    inputs: Sequence[str]
    started_at: str
    finished_at: str
    settings: Sequence[tuple[str, str]]
    classifier_version: str
    measured: Sequence[tuple[str, str]]
    notices: Sequence[str]
    ledger: Sequence[tuple[str, str, int]]

    @classmethod
    def read(cls, folder: Path) -> Run:
        """Reads the `run.json` of a run. If this file is missing, all fields are empty.

        Raises:
          InputError: if the file `run.json` is not a JSON object.
        """
        file = folder / RUN_FILE
        try:
            said = json.loads(file.read_text("utf-8")) if file.exists() else {}
        except ValueError as error:
            raise InputError(f"{file} is not JSON; run the job again") from error
        if not isinstance(said, dict):
            raise InputError(f"{file} is not a JSON object; run the job again")
        classifier = said.get("classifier") or {}
        return cls(
            inputs=[str(name) for name in said.get("inputs") or ()],
            started_at=str(said.get("started_at") or ""),
            finished_at=str(said.get("finished_at") or ""),
            settings=[_setting(*s) for s in flatten(_counting(said.get("settings") or {}))],
            classifier_version=str(classifier.get("version") or ""),
            measured=list(flatten(classifier.get("measured") or {})),
            notices=[_SYNTHESISED[f] for f in said.get("synthesised") or () if f in _SYNTHESISED],
            ledger=[
                (str(e["account"]), str(e.get("reason", "")), int(e["records"]))
                for e in said.get("ledger") or ()
            ],
        )


@dataclass(frozen=True)
class Ledger:
    """The ledger for the report: the number of records read, by outcome.

    Reasons are given for dead letters only. Those of other accounts name days, and so would tell
    exact numbers of conversations of single days.
    """

    read: int
    fates: Sequence[tuple[str, int]]
    dead_letters: Sequence[tuple[str, int]]
    others: Sequence[tuple[str, str, int]]
    """The breakdown, reason and number of the values that became `other`."""

    @classmethod
    def of(cls, entries: Sequence[tuple[str, str, int]]) -> Ledger | None:
        """Sums entries by account; returns None if there are no entries."""
        if not entries:
            return None
        sums = dict.fromkeys((READ, *FATES), 0)
        reasons: dict[str, int] = {}
        others: list[tuple[str, str, int]] = []
        for account, reason, records in entries:
            sums[account] = sums.get(account, 0) + records
            if account == OTHER_VALUE:
                breakdown, _, why = reason.partition("/")
                others.append((breakdown, why, records))
            elif account == DEAD_LETTER and reason:
                reasons[reason] = reasons.get(reason, 0) + records
        fates = [(fate, sums[fate]) for fate in FATES]
        by_size = sorted(reasons.items(), key=lambda r: (-r[1], r[0]))
        return cls(sums[READ], fates, by_size, sorted(others, key=lambda o: (-o[2], o)))

    @property
    def missing(self) -> int:
        """The number of records read that have no outcome; 0 if the ledger balances."""
        return self.read - sum(records for _, records in self.fates)


def _counting(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leaves out the policy, because the publication's receipt states it."""
    return {name: value for name, value in settings.items() if name != "policy"}


def flatten(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yields each value in nested mappings with the path that leads to it."""
    for key, inner in value.items():
        name = f"{path} \N{MIDDLE DOT} {key}" if path else str(key)
        if isinstance(inner, Mapping):
            yield from flatten(inner, name)
        elif isinstance(inner, list):
            yield name, ", ".join(map(str, inner))
        else:
            yield name, str(inner)


def _setting(name: str, value: str) -> tuple[str, str]:
    """Formats a setting. A unit at the end of its name is moved behind its value."""
    if name.endswith("_s"):
        seconds = float(value)
        hours, rest = divmod(seconds, 3600)
        return readable(name[:-2]), f"{seconds:g} s" if rest else f"{hours:g} h"
    if name.endswith("_bytes"):
        return readable(name.removesuffix("_bytes")), f"{int(value):,} bytes"
    return readable(name), value
