"""Dead letters are listed, found in an archive, and published again if that can help."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from pipelines.commands.main import main
from pipelines.operations.dead_letter_list import Group, Written, group_lines, list_groups
from pipelines.operations.dead_letters import RedriveResult, redrive, reinsert
from pipelines.operations.replay import ReplayOptions, replay
from pipelines.sinks.bigquery import Dataset
from pipelines.sinks.database import build_databases, query_run
from pipelines.terminal.text import NOTHING
from schemas.failures import InputError, Reason
from schemas.records import DeadLetter, DeadLetterRow, Encoding, PayloadChunk
from schemas.tables import DEAD_LETTERS, STREAM
from schemas.wire.event import encoding_of
from schemas.wire.validate import Limits
from tests.builders import HOUR_US, MONDAY_US, PSEUDONYMS, avro_event
from tests.pipelines.operations.pubsub_server import TOPIC, PubSub
from tests.run_folders import as_written, write_table
from tests.schemas.payloads import (
    ENVELOPE_SCHEMA,
    SECRET,
    betrays_secret,
    envelope,
    json_event,
    write_avro,
)
from transforms.conversation.messages import decode_chunk

THEN: Final = Limits(allowed_lateness_us=48 * HOUR_US, max_event_bytes=1000)
"""The limits of the job that wrote the dead letters."""
TODAY: Final = Limits(
    allowed_lateness_us=48 * HOUR_US, max_event_bytes=4000, max_age_us=28 * 24 * HOUR_US
)
NOW_US: Final = MONDAY_US + 7 * 24 * HOUR_US
LONG: Final = "x" * 2000
RUN: Final = MONDAY_US


def refused(encoding: Encoding, rows: Iterable[Any], source: str = "s") -> list[DeadLetter]:
    """Returns the dead letters that the job writes for these rows."""
    return decode_chunk(PayloadChunk(encoding, list(rows), None, source), THEN, PSEUDONYMS)[1]


def refused_on_topic(pubsub: PubSub) -> list[DeadLetter]:
    """Returns the dead letters for the messages published so far, and clears these messages."""
    sent = pubsub.sent()
    pubsub.requests.clear()
    return [
        letter
        for data, attributes in sent
        for letter in refused(encoding_of(attributes["content-type"]), [data])
    ]


def folder_of(folder: Path, letters: Iterable[DeadLetter]) -> Path:
    """Builds the database of a run with these dead letters; returns its folder."""
    return folder_of_rows(folder, as_written(letters))


def folder_of_rows(folder: Path, rows: Iterable[DeadLetterRow]) -> Path:
    """Builds a database with these dead-letter rows; returns its folder."""
    write_table(folder, DEAD_LETTERS, rows)
    build_databases(folder)
    return folder


def redriven(
    folder: Path, letters: Sequence[DeadLetter], reason: str = "oversize", **options: Any
) -> RedriveResult:
    """Redrives dead letters from the archives in the folder."""
    query = partial(query_run, folder_of(folder, letters))
    patterns = [str(path) for path in sorted(folder.glob("*.*")) if path.suffix != ".duckdb"]
    limits = options.pop("limits", TODAY)
    return redrive(query, reason, patterns, TOPIC, limits, lambda: NOW_US, PSEUDONYMS, **options)


# Tests of the lists.


def test_groups_by_stage_reason_and_source(tmp_path: Path) -> None:
    """Each group gives the numbers of letters and of distinct payloads.

    It also gives their first and last publish time.
    """
    letters = [
        DeadLetter("decode", "oversize", "s", None, None, None, MONDAY_US + n, 9, sha256 * 64)
        for n, sha256 in enumerate("aabc")
    ]
    letters.append(DeadLetter("decode", "oversize", "t", "e0", "c0", None, None, 9, "d" * 64))
    one, other = list_groups(partial(query_run, folder_of(tmp_path, letters)))
    assert (one.source, one.letters, one.payloads) == ("s", 4, 3)
    assert (one.first_us, one.last_us) == (MONDAY_US, MONDAY_US + 3)
    assert [x.payload_hash[0] for x in one.examples] == ["c", "b", "a"]
    assert (other.source, other.first_us, other.examples[0].event) == ("t", None, "e0")


def test_a_list_of_one_reason_with_few_examples(tmp_path: Path) -> None:
    """A list can be limited to one reason and to a number of examples."""
    letters = refused(Encoding.JSON, [b"{", b"[", json_event(text=LONG), b"!"])
    query = partial(query_run, folder_of(tmp_path, letters))
    (group,) = list_groups(query, "undecodable", 2)
    assert (group.letters, len(group.examples)) == (3, 2)
    (group,) = list_groups(query, "undecodable", 0)
    assert len(group_lines([group])) == 1
    with pytest.raises(InputError, match="limit must be 0 or more, got -1"):
        list_groups(query, None, -1)


def test_the_command_lists_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The list shows hashes and sizes, but no message text."""
    rows = [json_event(text=SECRET, role=SECRET), json_event(event_id=SECRET, sent_at_us=None)]
    letters = refused(Encoding.JSON, rows)
    assert main(["dead-letters", "list", str(folder_of(tmp_path, letters))]) == 0
    said = capsys.readouterr().out
    assert not betrays_secret(said)
    assert "decode: invalid_role, from s: 1 (1 distinct), published" in said
    assert letters[0].payload_hash[:12] in said
    assert letters[0].payload_hash[:13] not in said


def nights(folder: Path) -> Path:
    """Builds a database in which a stream and three backfills wrote the same two letters."""
    letters = refused(Encoding.JSON, [b"{", b"["])
    rows = as_written(letters, RUN, STREAM, RUN + 1)
    for night in (1, 2, 3):
        rows += as_written(letters, RUN + night, ingested_at_us=RUN + night)
    return folder_of_rows(folder, rows)


def test_letters_that_a_backfill_wrote_again_name_their_run(tmp_path: Path) -> None:
    """A group lists its runs, latest first, each with its number of letters and its time."""
    query = partial(query_run, nights(tmp_path))
    (group,) = list_groups(query)
    assert (group.letters, group.payloads, group.runs) == (8, 2, 4)
    assert [(x.run, x.origin, x.letters) for x in group.written] == [
        (RUN + 3, "batch", 2), (RUN + 2, "batch", 2), (RUN + 1, "batch", 2), (RUN, "stream", 2),
    ]  # fmt: skip
    assert group.written[-1].ingested_us == RUN + 1
    (one,) = list_groups(query, run=RUN)
    assert (one.letters, one.runs, one.written) == (2, 1, group.written[-1:])
    assert list_groups(query, run=RUN + 4) == []


def test_the_command_lists_the_latest_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list shows as many runs as requested, and gives the number of earlier ones.

    It can also show a single run.
    """
    folder = str(nights(tmp_path))
    assert main(["dead-letters", "list", folder, "--limit=2"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:5] == [
        "decode: undecodable, from s: 8 (2 distinct), published – to –",
        "run origin last written letters",
        f"{RUN + 3} batch 2025-06-02 00:00:00 2",
        f"{RUN + 2} batch 2025-06-02 00:00:00 2",
        "and 2 earlier",
    ]
    assert main(["dead-letters", "list", folder, f"--run={RUN}"]) == 0
    assert f"{RUN}  stream" in capsys.readouterr().out


def test_letters_older_than_the_columns_are_listed() -> None:
    """Rows written before `create` added the run columns are listed without a run."""
    written = (Written(None, None, 2, None),)
    group = Group("decode", "late", "s", 2, 2, 0, None, None, written, ())
    assert group_lines([group])[2].split() == [NOTHING, NOTHING, NOTHING, "2"]


def test_nothing_to_list(tmp_path: Path) -> None:
    """For an empty table, the list says that there are no dead letters."""
    assert group_lines(list_groups(partial(query_run, folder_of(tmp_path, [])))) == [
        "no dead letters"
    ]


# Tests of publishing again.


@pytest.mark.parametrize("asked", ["protobuf", "json"])
@pytest.mark.parametrize("before", ["protobuf", "json"])
def test_a_refused_message_is_published_as_before(
    before: str, asked: str, pubsub: PubSub, tmp_path: Path
) -> None:
    """A refused message keeps its encoding, even if a different one is requested."""
    rows = [avro_event(event_id=f"e{n}", text=LONG if n % 2 else "hello") for n in range(6)]
    archive = write_avro(tmp_path / "a.avro", rows)
    replay([str(archive)], TOPIC, ReplayOptions(encoding=before))
    first = [each for each in pubsub.sent() if LONG.encode() in each[0]]
    done = redriven(tmp_path, refused_on_topic(pubsub), encoding=asked)
    assert (done.wanted, done.found, done.sent) == (3, 3, 3)
    assert pubsub.sent() == first
    assert first[0][1]["original-publish-time"] == str(MONDAY_US)


@pytest.mark.parametrize("asked", ["protobuf", "json"])
def test_an_event_refused_in_both_encodings(asked: str, pubsub: PubSub, tmp_path: Path) -> None:
    """If an event was refused in two encodings, both payloads are found.

    The event is published once, in the requested encoding.
    """
    archive = write_avro(tmp_path / "a.avro", [avro_event(text=LONG)])
    for before in ("protobuf", "json"):
        replay([str(archive)], TOPIC, ReplayOptions(encoding=before))
    done = redriven(tmp_path, refused_on_topic(pubsub), encoding=asked)
    assert (done.wanted, done.found, done.sent) == (2, 2, 2)
    ((_, attributes),) = pubsub.sent()
    assert attributes["content-type"] == f"application/{asked}"


@pytest.mark.parametrize("asked", ["protobuf", "json"])
def test_a_row_that_a_backfill_refused_is_published(
    asked: str, pubsub: PubSub, tmp_path: Path
) -> None:
    """A row that a backfill refused is found by the hash of its fields.

    It is published in the requested encoding.
    """
    rows = [avro_event(text=LONG, published_at_us=MONDAY_US + 5), avro_event(event_id="e1")]
    write_avro(tmp_path / "a.avro", rows)
    done = redriven(tmp_path, refused(Encoding.AVRO, rows[:1]), encoding=asked)
    assert (done.wanted, done.sent) == (1, 1)
    ((_, attributes),) = pubsub.sent()
    assert attributes["content-type"] == f"application/{asked}"
    assert attributes["original-publish-time"] == str(MONDAY_US + 5)


def test_archived_messages_and_lines_are_published(pubsub: PubSub, tmp_path: Path) -> None:
    """Archived messages and JSON lines are found by their bytes, with or without the line end."""
    data = [json_event(event_id=f"e{n}", text=LONG) for n in range(3)]
    rows = [envelope(data[0], "application/json", MONDAY_US + 7), envelope(b"{")]
    write_avro(tmp_path / "a.avro", rows, ENVELOPE_SCHEMA)
    (tmp_path / "b.jsonl").write_bytes(data[1] + b"\n" + data[2] + b"\r\n")
    letters = refused(Encoding.JSON, [data[0], data[1] + b"\n", data[2]])
    assert redriven(tmp_path, letters).sent == 3
    assert [each[0] for each in pubsub.sent()] == data
    assert pubsub.sent()[0][1]["original-publish-time"] == str(MONDAY_US + 7)


def test_what_is_still_refused_is_not_published(pubsub: PubSub, tmp_path: Path) -> None:
    """Payloads that the job would still refuse are not published; they are counted by reason."""
    rows = [
        avro_event(event_id="fine", text=LONG),
        avro_event(event_id="larger", text=LONG * 3),
        avro_event(event_id="role", text=LONG, role="CAT"),
        avro_event(event_id="late", text=LONG, published_at_us=MONDAY_US + 49 * HOUR_US),
        avro_event(event_id="old", text=LONG, sent_at_us=NOW_US - 29 * 24 * HOUR_US),
    ]
    archive = write_avro(tmp_path / "a.avro", rows)
    replay([str(archive)], TOPIC)
    done = redriven(tmp_path, refused_on_topic(pubsub))
    assert (done.wanted, done.found, done.sent) == (5, 5, 1)
    assert done.refused == {"oversize": 1, "invalid_role": 1, "late": 1, "past_life": 1}
    ((data, _),) = pubsub.sent()
    assert b"fine" in data


def test_payloads_that_the_archive_lacks_are_counted(pubsub: PubSub, tmp_path: Path) -> None:
    """Payloads that the archive lacks are counted.

    Dead letters with a different reason are not touched.
    """
    rows = [avro_event(text=LONG), avro_event(event_id="e1", role="CAT")]
    write_avro(tmp_path / "a.avro", rows)
    lost = [json_event(event_id="lost", text=LONG)]
    letters = [*refused(Encoding.AVRO, rows), *refused(Encoding.JSON, lost)]
    done = redriven(tmp_path, letters)
    assert (done.wanted, done.found, done.sent) == (2, 1, 1)
    assert len(pubsub.sent()) == 1
    assert done.lines("oversize", dry_run=False) == [
        "payloads refused as oversize  2",
        "  not in the archive          1",
        "  found                       1",
        "    still refused             0",
        "    published again           1",
    ]


def test_a_payload_is_published_once(pubsub: PubSub, tmp_path: Path) -> None:
    """If an archive repeats a payload, it is published once, from the earliest copy."""
    data = json_event(text=LONG)
    times = [MONDAY_US + 49 * HOUR_US, MONDAY_US + 1, MONDAY_US + 2]
    rows = [envelope(data, "application/json", at_us) for at_us in times]
    write_avro(tmp_path / "a.avro", rows, ENVELOPE_SCHEMA)
    lost = json_event(event_id="lost", text=LONG)
    done = redriven(tmp_path, refused(Encoding.JSON, [data, data, lost]))
    assert (done.wanted, done.found, done.sent, done.refused) == (2, 1, 1, {})
    ((_, attributes),) = pubsub.sent()
    assert attributes["original-publish-time"] == str(MONDAY_US + 1)


def test_a_dry_run_publishes_nothing(pubsub: PubSub, tmp_path: Path) -> None:
    """A dry run gives the same counts as a redrive, but publishes nothing.

    It says how many messages would be published.
    """
    rows = [avro_event(text=LONG), avro_event(event_id="e1", text=LONG * 3)]
    write_avro(tmp_path / "a.avro", rows)
    done = redriven(tmp_path, refused(Encoding.AVRO, rows), dry_run=True)
    assert pubsub.requests == []
    assert done.lines("oversize", dry_run=True)[-2:] == [
        "    still refused             1  (oversize 1)",
        "    would be published        1",
    ]


def test_no_dead_letters_need_no_archive(tmp_path: Path) -> None:
    """If there are no dead letters with the requested reason, no archive is read."""
    query = partial(query_run, folder_of(tmp_path, []))
    done = redrive(query, "oversize", ["/none/*.avro"], TOPIC, TODAY, lambda: NOW_US, PSEUDONYMS)
    assert done == RedriveResult(0)


# Tests of letters that publishing does not fix.


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--reason=late"], "to count it, backfill its days with more lateness allowed"),
        (["--reason=past_life"], "count them with a backfill of those days"),
        (["--reason=oversize"], "reason oversize again, give --archive"),
        (
            ["--reason=oversize", "--archive=a.avro", f"--topic={TOPIC}"],
            "and --secret (the secret of the job",
        ),
        (
            ["--reason=oversize", "--archive=a.avro", "--topic=t", "--secret=a.key"],
            "'t' is not a topic; write projects/<project>/topics/<name>",
        ),
        (
            [
                "--reason=oversize",
                "--archive=a.avro",
                f"--topic={TOPIC}",
                "--secret=a.key",
                "--max_event_bytes=1",
            ],
            "max_event_bytes must be at least 1024, got 1",
        ),
    ],
)
def test_an_impossible_redrive_is_one_sentence(
    flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An impossible redrive is refused in one sentence, before any query is sent to BigQuery."""
    assert main(["dead-letters", "redrive", "--dataset=my-project.undertone", *flags]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_an_unknown_reason_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Only known reasons are accepted, so no other text reaches the query."""
    with pytest.raises(SystemExit):
        main(["dead-letters", "list", "folder", "--reason=x' OR TRUE"])
    assert "invalid choice" in capsys.readouterr().err
    with pytest.raises(ValueError, match="is not a valid Reason"):
        list_groups(lambda _: [], "x' OR TRUE")


def test_a_row_of_an_unknown_table_is_refused_again(tmp_path: Path) -> None:
    """Only the job's own tables receive rows, and a dry run inserts nothing."""
    reason = str(Reason.REFUSED_BY_TABLE)
    letters = [
        DeadLetter("write", reason, table, None, None, None, None, 9, "0" * 64, '{"a": 1}')
        for table in ("elsewhere", "dead_letters", "ledger", "ledger")
    ]  # fmt: skip
    query = partial(query_run, folder_of(tmp_path, letters))
    done = reinsert(query, Dataset("p", "d", "http://127.0.0.1:1"), dry_run=True)
    assert (done.wanted, done.inserted, done.refused.total()) == (3, 1, 2)
    assert [" ".join(line.split()) for line in done.lines(dry_run=True)] == [
        "rows refused by a table 3",
        "would be inserted 1",
        "refused again 2",
        "dead_letters: accepts no rows 1",
        "elsewhere: accepts no rows 1",
    ]
