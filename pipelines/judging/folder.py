"""Has the sample of a local run judged, and keeps sample and judgements in the run's folder.

A run keeps them beside its exact counts, because they are restricted like these. No file has text.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from pipelines.judges.interface import Judge, Transcript
from pipelines.judges.transcripts import read_transcripts
from pipelines.judging.journal import JOURNAL_FILE, Journal
from pipelines.judging.work import (
    Tally,
    check_secret,
    current_of,
    judge_sample,
    key_of,
    some_of,
    unjudged,
)
from pipelines.operations.classify import batches
from pipelines.publishing.folder import parquet_file
from pipelines.report.run import RUN_FILE
from pipelines.sinks.database import RESTRICTED_FOLDER, TABLES_FOLDER
from pipelines.sinks.records import read_records, write_records
from schemas.failures import InputError
from schemas.judged import (
    CANDIDATES,
    JUDGEMENTS,
    SAMPLE,
    CandidatesRow,
    JudgementRow,
    SampleRow,
)
from schemas.wire.validate import Limits
from transforms.conversation.pseudonyms import Pseudonyms
from transforms.counting.candidates import Candidates, candidates_of_text
from transforms.judging.choice import choose
from transforms.policies import Clock
from transforms.publishing.policy import Policy

VALIDATION_JOURNAL: Final = "validation.jsonl"
VALIDATION_FILE: Final = "validation.parquet"
_CONVERSATIONS_A_PASS: Final = 10_000
"""How many conversations are in memory at the same time, with their text."""
_US: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Counted:
    """What a run says about how it counted.

    Attributes:
      session_gap: idle time after which a conversation id begins a new conversation.
      limits: which events are valid.
      policy: how published numbers are protected.
    """

    session_gap: timedelta
    limits: Limits
    policy: Policy

    @classmethod
    def read(cls, folder: Path) -> Counted:
        """Reads it from the folder of a run.

        Raises:
          InputError: if the folder is not one of a finished run, or another version made it.
        """
        try:
            said: dict[str, Any] = json.loads((folder / RUN_FILE).read_text("utf-8"))["settings"]
            gap = timedelta(seconds=said["session_gap_s"])
            lateness = timedelta(seconds=said["allowed_lateness_s"])
            limits = Limits(lateness // _US, max_event_bytes=int(said["max_event_bytes"]))
            return cls(gap, limits, Policy.decode(json.dumps(said["policy"])))
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(
                f"{folder} is not the folder of a finished run of this version; make one with: "
                "undertone run"
            ) from None


@dataclass(frozen=True)
class Transcripts:
    """Reads the conversations of a run from the archive that it counted.

    Attributes:
      inputs: patterns of the archive's files.
      pseudonyms: the secret that the run was counted with.
      counted: how the run counted.
    """

    inputs: Sequence[str]
    pseudonyms: Pseudonyms
    counted: Counted

    def of(self, rows: Sequence[SampleRow]) -> Iterator[Transcript]:
        """Returns the conversations of these rows that the archive has.

        Raises:
          InputError: if it has none of them.
        """
        found = read_transcripts(
            self.inputs,
            rows,
            self.pseudonyms,
            self.counted.session_gap,
            limits=self.counted.limits,
        )
        return some_of(found, ", ".join(self.inputs), len(rows))


class JudgedFolder:
    """The sample and the judgements of a run. Only one process may have them open.

    Args:
      folder: output folder of the run.
      journal: the judgements that are not in the table yet.
    """

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._folder = folder
        self._journal = journal

    @property
    def _tables(self) -> Path:
        return self._folder / RESTRICTED_FOLDER / TABLES_FOLDER

    def choose_sample(self, budget: int, attempt: int, key_id: str) -> list[SampleRow]:
        """Chooses the sample from the run's candidates, and keeps it.

        Args:
          budget: how many conversations of the run to judge.
          attempt: the current time, microseconds since the epoch.
          key_id: identifies the secret that is used now.

        Raises:
          InputError: if the run has no candidates, or was counted with another secret.
        """
        file = parquet_file(self._tables, CANDIDATES)
        rows = read_records(file, CANDIDATES, CandidatesRow)
        if not rows:
            raise InputError(
                f"{self._folder} has no conversations to judge; run the job again if an earlier "
                "version made it"
            )
        check_secret({row.key_id for row in rows}, key_id)
        try:
            sample = choose(rows, budget, attempt)
        except ValueError as error:
            raise InputError(f"{self._folder}: {error}") from None
        file = parquet_file(self._tables, SAMPLE)
        if not _are_the_same(sample, read_records(file, SAMPLE, SampleRow)):
            write_records(file, SAMPLE, sample)
        return sample

    def validation(self) -> Journal:
        """Returns the journal of what a judge says before it is accepted, beside the tables."""
        restricted = self._folder / RESTRICTED_FOLDER
        return Journal(restricted / VALIDATION_JOURNAL, restricted / VALIDATION_FILE)

    def accept(self) -> None:
        """Takes what was said in the validation as judgements, so that it is not paid for twice."""
        kept = set(self.judgements())
        for row in self.validation().fold():
            if row not in kept:
                self._journal.save(row)
        (self._folder / RESTRICTED_FOLDER / VALIDATION_FILE).unlink(missing_ok=True)

    def judgements(self) -> list[JudgementRow]:
        """Returns all judgements."""
        return self._journal.fold()

    def judge(
        self,
        sample: Sequence[SampleRow],
        transcripts: Transcripts,
        judge: Judge,
        clock: Clock,
        *,
        may_change: bool = False,
    ) -> Tally:
        """Has those of a sample judged that are not judged yet. See `judge_sample`.

        Conversations that the archive lacked are looked for again.

        Args:
          sample: the sample.
          transcripts: reads conversations from the archive.
          judge: the judge.
          clock: returns the current time.
          may_change: whether the judge may have changed its mind about some of them.

        Raises:
          InputError: if the judge can't go on, or the archive is damaged or has none of the
            conversations. What was judged before stays valid.
        """
        known = current_of(self.judgements(), judge)
        todo = unjudged(sample, known, retry_missing=True, may_change=may_change)
        tally = Tally(sampled=len(sample), known=len(sample) - len(todo))
        for rows in batches(todo, _CONVERSATIONS_A_PASS):
            found = transcripts.of(rows)
            tally += judge_sample(rows, found, judge, known, self._journal.save, clock)
        return tally

    def forget(self, conversations: Collection[str], *, is_applied: bool) -> dict[str, int]:
        """Deletes conversations from candidates, sample and judgements, by their hashes.

        Args:
          conversations: the hashes; see `SampleRow.conversation`.
          is_applied: whether to delete; otherwise they are only counted.

        Returns:
          How many there are of each table.
        """
        sample_file, candidates_file, judgements_file = (
            parquet_file(self._tables, table) for table in (SAMPLE, CANDIDATES, JUDGEMENTS)
        )
        sample = read_records(sample_file, SAMPLE, SampleRow)
        kept = [row for row in sample if row.conversation not in conversations]
        judgements = self.judgements()
        still = [row for row in judgements if row.conversation not in conversations]
        changed = [
            _without(row, conversations)
            for row in read_records(candidates_file, CANDIDATES, CandidatesRow)
        ]
        found = {
            CANDIDATES.name: sum(number for _, number in changed),
            SAMPLE.name: len(sample) - len(kept),
            JUDGEMENTS.name: len(judgements) - len(still),
        }
        if is_applied and any(found.values()):
            write_records(candidates_file, CANDIDATES, [row for row, _ in changed])
            write_records(sample_file, SAMPLE, kept)
            write_records(judgements_file, JUDGEMENTS, still)
        return found


def _without(row: CandidatesRow, conversations: Collection[str]) -> tuple[CandidatesRow, int]:
    """Returns a row without some conversations, and how many of them it had."""
    present = candidates_of_text(row.candidates)
    kept = {each: 1 for each in present if each.id.hex() not in conversations}
    if len(kept) == len(present):
        return row, 0
    text = Candidates(kept, row.edge).text()
    return msgspec.structs.replace(row, candidates=text), len(present) - len(kept)


@contextmanager
def opened(folder: Path) -> Iterator[JudgedFolder]:
    """Opens the sample and the judgements of a run, and closes them at the end.

    What an earlier process saved before it was killed is there again.

    Raises:
      InputError: if the folder is not one of a finished run, or another process has it open.
    """
    Counted.read(folder)
    restricted = folder / RESTRICTED_FOLDER
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"another process judges {folder}; wait for its end, or stop it"
            ) from None
        table = parquet_file(restricted / TABLES_FOLDER, JUDGEMENTS)
        with Journal(restricted / JOURNAL_FILE, table) as journal:
            yield JudgedFolder(folder, journal)
    finally:
        os.close(handle)


def _are_the_same(sample: Sequence[SampleRow], kept: Sequence[SampleRow]) -> bool:
    """Tells whether two samples differ only in their attempt."""
    if [key_of(row) for row in sample] != [key_of(row) for row in kept]:
        return False
    return all(
        msgspec.structs.replace(new, attempt=old.attempt) == old
        for new, old in zip(sample, kept, strict=True)
    )
