"""Decode: turns records into valid messages. Records that are not valid become dead letters.

This is the only step that sees readable ids. It replaces them by keyed hashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput as Tagged

from schemas.records import DeadLetter, LedgerEntry, PayloadChunk, PseudonymousMessage
from schemas.wire.validate import Limits
from transforms.balance import count_metrics
from transforms.conversation.messages import STAGE, decode_chunk
from transforms.conversation.pseudonyms import LoadPseudonyms, Pseudonyms
from transforms.counting import ledger
from transforms.counting.days import DayRange
from transforms.logs import log_event

_DEAD_LETTERS: Final = "dead_letters"
_LEDGER: Final = "ledger"
_ROWS: Final = Metrics.distribution(STAGE, "rows_per_chunk")


class DecodeOutputs(NamedTuple):
    """The outputs of `Decode`: lists of messages, dead letters and ledger entries."""

    messages: beam.PCollection[list[PseudonymousMessage]]
    dead_letters: beam.PCollection[DeadLetter]
    ledger: beam.PCollection[LedgerEntry]


class Decode(beam.PTransform[PayloadChunk, Any]):
    """Decodes chunks of records into lists of valid messages.

    In: `PayloadChunk`.
    Out: `DecodeOutputs`. A chunk gives one list of its valid messages, in the order of its rows. A
    chunk without valid messages gives no list.
    Windowing: any. Outputs keep the window and the timestamp of the chunk. The time at which a
    message was sent is a field of the message.
    Guarantees: every row has exactly one outcome, and the ledger counts it. A row becomes a
    message, a system turn or a dead letter, or it is outside the range of a backfill. A value that
    is not valid for its breakdown is replaced by `other`, and the ledger counts this too.
    No output contains a readable id.
    Dead letters: every `failures.Reason` about a record. Dead letters with the reason `late` have
    their own account in the ledger.
    Metrics: counters `decode/<account>` and `decode/<account>/<reason>`, in records, e.g.
    `decode/read` and `decode/dead_letter/oversize`; distribution `decode/rows_per_chunk`.

    Args:
      limits: the limits that a valid message must keep to.
      load_pseudonyms: loads the operator's secret, with which ids and payloads are hashed.
      asked: the days of a backfill; None for all days.
    """

    def __init__(
        self, limits: Limits, load_pseudonyms: LoadPseudonyms, asked: DayRange | None = None
    ) -> None:
        super().__init__()
        self._fn = _DecodeFn(limits, load_pseudonyms, asked)

    def expand(self, chunks: beam.PCollection[PayloadChunk]) -> DecodeOutputs:
        decoded = chunks | "DecodeChunks" >> beam.ParDo(self._fn).with_output_types(
            list[PseudonymousMessage], dead_letters=DeadLetter, ledger=LedgerEntry
        ).with_outputs(_DEAD_LETTERS, _LEDGER, main="messages")
        return DecodeOutputs(decoded["messages"], decoded[_DEAD_LETTERS], decoded[_LEDGER])


class _DecodeFn(beam.DoFn):
    def __init__(
        self, limits: Limits, load_pseudonyms: LoadPseudonyms, asked: DayRange | None
    ) -> None:
        self._limits = limits
        self._load_pseudonyms = load_pseudonyms
        self._pseudonyms: Pseudonyms | None = None
        self._asked = asked

    def setup(self) -> None:
        self._pseudonyms = self._load_pseudonyms()

    def process(self, chunk: PayloadChunk) -> Iterator[Any]:
        assert self._pseudonyms is not None
        messages, dead_letters, counts = decode_chunk(
            chunk, self._limits, self._pseudonyms, self._asked
        )
        count_metrics(STAGE, counts)
        _ROWS.update(len(chunk.rows))
        if messages:
            yield messages
        for letter in dead_letters:
            log_event("dead_letter", key=letter.reason, reason=letter.reason, source=letter.source)
            yield Tagged(_DEAD_LETTERS, letter)
        for entry in ledger.entries_of(counts):
            yield Tagged(_LEDGER, entry)
