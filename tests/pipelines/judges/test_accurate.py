"""Tests the judge that is a classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.judges.accurate import ClassifierJudge
from pipelines.judges.interface import Transcript, Turn
from pipelines.judges.transcripts import read_transcripts
from pipelines.sinks.archive import write_archive
from schemas.judged import JUDGED, SampleRow, fault_of, joined_names
from schemas.labels import TYPES, USES
from tests.builders import MONDAY_US, PSEUDONYMS, SECOND_US, avro_event
from tests.doubles import LabelReader
from tests.pipelines.judges.builders import GAP, counted, sample_row
from transforms.classifiers import load_default

TEXTS: Final = (
    "I feel so alone since she left me", "write a poem about rain", "fix this python error",
    "you are my knight, kiss me", "", "谢谢你，我今天好多了",
)  # fmt: skip


def conversation(number: int, kinds: list[str]) -> list[dict[str, Any]]:
    """Builds the events of a conversation: a human message of each kind, and a reply to each."""
    events = []
    for at, kind in enumerate(kinds):
        common = {"conversation_id": f"c{number}", "sent_at_us": MONDAY_US + at * SECOND_US}
        asked = avro_event(event_id=f"{number}h{at}", text=f"label:{kind}:{at % 3 - 1}", **common)
        reply = {"event_id": f"{number}a{at}", "role": "ASSISTANT", **common}
        said = "label:pushback:sexual" if kind == "coaching" else "label:reply:"
        events += [asked, avro_event(text=said, **reply)]
    return events


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.lists(st.sampled_from([*TYPES, *USES[1:]]), min_size=1, max_size=9),
        min_size=1,
        max_size=20,
    )
)
def test_it_says_what_counting_decides(
    tmp_path_factory: Any, conversations: list[list[str]]
) -> None:
    """Judged by the classifier that counted, each conversation has exactly the counted labels."""
    events = [e for number, kinds in enumerate(conversations) for e in conversation(number, kinds)]
    archive: Path = tmp_path_factory.mktemp("archive") / "a.avro"
    write_archive(archive, events)
    names = {PSEUDONYMS.conversation(f"c{n}"): f"c{n}" for n in range(len(conversations))}
    sample = [sample_row(names[c], summary) for c, _, summary in counted(events)]
    transcripts = read_transcripts([str(archive)], sample, PSEUDONYMS, GAP)
    verdicts = list(ClassifierJudge(LabelReader()).judge(transcripts))
    judged = {}
    for verdict in verdicts:
        assert verdict.status == JUDGED
        assert verdict.labels is not None
        labels = verdict.labels
        judged[verdict.conversation] = (
            joined_names(labels.types), labels.use, labels.opening_type, labels.closing_type,
            joined_names(labels.pushback_reasons), verdict.human_messages,
        )  # fmt: skip
    assert judged == {row.conversation: _decided(row) for row in sample}


def _decided(row: SampleRow) -> tuple[str, str, str, str, str, int]:
    return (
        row.types, row.use, row.opening_type, row.closing_type, row.pushback_reasons,
        row.human_messages,
    )  # fmt: skip


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(TEXTS)), min_size=1, max_size=12))
def test_the_labels_are_valid(turns: list[tuple[bool, str]]) -> None:
    """The shipped classifier gives valid labels for any conversation, even of one role."""
    transcript = Transcript("00", 0, tuple(Turn(*turn) for turn in turns))
    (verdict,) = ClassifierJudge(load_default()).judge([transcript])
    assert verdict.labels is not None
    assert fault_of(verdict.labels, transcript.human_messages) is None


def test_each_conversation_has_one_verdict() -> None:
    """Batches neither lose nor repeat a conversation."""
    transcripts = [Transcript(str(i), i, (Turn(True, "hello"),)) for i in range(40)]
    verdicts = ClassifierJudge(load_default()).judge(transcripts)
    assert [verdict.started_at_us for verdict in verdicts] == list(range(40))
