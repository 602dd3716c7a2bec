"""A user's conversations are erased from archives and dead letters, and others' are not."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from unittest import mock

import duckdb
import pytest
import sqlglot

from pipelines.commands.main import main
from pipelines.operations import forget as operation
from pipelines.operations.forget import dead_letters, forget, lines
from pipelines.operations.forget_search import Found, search
from pipelines.sinks.archive import write_archive, write_json_lines
from pipelines.sinks.database import create_empty
from pipelines.sinks.rewrite import rewrite
from pipelines.sources.files import records_in_order
from schemas.failures import InputError
from schemas.records import Encoding
from schemas.tables import DEAD_LETTERS
from schemas.wire.event import bytes_of_row
from schemas.wire.payload import payload_of
from tests.builders import HOUR_US, MONDAY_US, PSEUDONYMS, avro_event
from tests.schemas.payloads import ENVELOPE_SCHEMA, envelope, json_event, write_avro
from transforms.conversation.pseudonyms import Pseudonyms, shown

ADA: Final = "user-ada-4711"
"""The user who is to be forgotten."""
CANARIES: Final = ("quetzal-words", ADA, "conv-of-ada")
KEPT: Final = "words of others"

Query = Callable[[str], list[dict[str, Any]]]


def event(number: int, **fields: Any) -> dict[str, Any]:
    """Returns an event of Ada's that was said so many hours after Monday."""
    return avro_event(**{
        "event_id": f"event-{number}", "conversation_id": "conv-of-ada-1", "user_id": ADA,
        "text": "quetzal-words", "sent_at_us": MONDAY_US + number * HOUR_US,
    } | fields)  # fmt: skip


def reply(number: int, **fields: Any) -> dict[str, Any]:
    """Returns an event of the assistant, which states no user."""
    return event(number, **{"user_id": None, "role": "ASSISTANT"} | fields)


def other(number: int, **fields: Any) -> dict[str, Any]:
    """Returns an event of another user."""
    said = {"user_id": "user-bob", "conversation_id": "conv-of-bob", "text": KEPT}
    return event(number, **said | fields)


def words(folder: Path) -> bytes:
    """Returns all bytes of the files of a folder, unpacked."""
    read = []
    for path in sorted(folder.iterdir()):
        read += [bytes_of_row(r.encoding, r.row) for r in records_in_order([str(path)])]
        read.append(path.read_bytes())
    return b"\n".join(read)


def erase(*patterns: Path) -> Found:
    """Erases Ada from the files of some patterns."""
    found = search(ADA, [*map(str, patterns)], [])
    forget(found, None)
    return found


def message(row: dict[str, Any], encoding: Encoding) -> dict[str, Any]:
    """Returns an event as an archived Pub/Sub message."""
    return envelope(*payload_of(row, encoding))


def write_all(folder: Path) -> None:
    """Writes an archive in every format; some conversations of Ada's lie in several files."""
    write_archive(folder / "a.avro", [event(0), other(1), reply(2)])
    write_json_lines(folder / "b.jsonl", [other(3), reply(4), other(5)])
    write_json_lines(folder / "c.jsonl.gz", [other(6), event(30, conversation_id="conv-of-ada-2")])
    rows = [
        message(reply(31, conversation_id="conv-of-ada-2"), Encoding.PROTOBUF),
        message(other(32), Encoding.JSON),
        message(event(33, conversation_id="conv-of-ada-3"), Encoding.JSON),
    ]
    write_avro(folder / "d.avro", rows, ENVELOPE_SCHEMA)
    write_json_lines(folder / "e.jsonl", [other(7)])


def test_no_word_of_the_user_is_left(tmp_path: Path) -> None:
    """In every format the user's events are gone, and so are all replies to them."""
    write_all(tmp_path)
    assert all(canary.encode() in words(tmp_path) for canary in CANARIES)
    before = len([*records_in_order([f"{tmp_path}/*.avro", f"{tmp_path}/*.jsonl"])])
    found = erase(tmp_path / "*.avro", tmp_path / "*.jsonl", tmp_path / "*.jsonl.gz")
    assert not any(canary.encode() in words(tmp_path) for canary in CANARIES)
    assert before == 10
    assert found.removed.total() == 6
    assert words(tmp_path).count(KEPT.encode()) >= 6
    assert search(ADA, [f"{tmp_path}/*.avro"], []).removed.total() == 0


def test_others_are_left_as_they_were(tmp_path: Path) -> None:
    """A file without the user is not touched, and other records stay in their order."""
    write_all(tmp_path)
    at_ns = (tmp_path / "e.jsonl").stat().st_mtime_ns
    erase(tmp_path / "*.jsonl", tmp_path / "a.avro")
    assert (tmp_path / "e.jsonl").stat().st_mtime_ns == at_ns
    left = [json.loads(r.row)["event_id"] for r in records_in_order([f"{tmp_path}/b.jsonl"])]
    assert left == ["event-3", "event-5"]


@pytest.mark.parametrize(
    "payload",
    [
        f'{{"user_id": "{ADA}", "text": "quetzal-words"'.encode(),
        b'{"conversation_id": "conv-of-ada-1", "text": "quetzal-words", \xff}',
        json_event(user_id=["x"], conversation_id=ADA, text="quetzal-words"),
        json_event(user_id=ADA, conversation_id=None, text="quetzal-words"),
    ],
    ids=["cut short", "not UTF-8", "wrong type", "no conversation"],
)
@pytest.mark.parametrize("content_type", ["application/json", None, "text/xml"])
def test_unreadable_records_that_name_the_user_go_too(
    tmp_path: Path, payload: bytes, content_type: str | None
) -> None:
    """A payload that can't be read is removed if it contains the user's or a conversation's id."""
    rows = [message(event(0), Encoding.JSON), envelope(payload, content_type), envelope(b"{oops")]
    path = write_avro(tmp_path / "a.avro", rows, ENVELOPE_SCHEMA)
    erase(path)
    assert [record.row for record in records_in_order([str(path)])] == [b"{oops"]


def test_an_id_is_not_a_part_of_another(tmp_path: Path) -> None:
    """A readable event goes only if its whole user id is equal."""
    path = tmp_path / "a.jsonl"
    write_json_lines(path, [other(1, user_id=f"{ADA}2"), other(2, text=f"about {ADA}")])
    assert erase(path).removed.total() == 0


def test_dates_in_a_pattern_stand_for_any_date(tmp_path: Path) -> None:
    """The pattern that a backfill takes also works here, and no file is searched twice."""
    write_json_lines(tmp_path / "2026-11-20.jsonl", [event(0)])
    patterns = [f"{tmp_path}/%Y-%m-%d.jsonl", f"{tmp_path}/*.jsonl"]
    assert search(ADA, patterns, []).removed.total() == 1


class StopError(Exception):
    """Stands for a crash."""


@pytest.mark.parametrize("done", range(7))
def test_it_can_be_repeated_after_a_crash(tmp_path: Path, done: int) -> None:
    """Whenever it stops, a second attempt finds and erases all that is left."""
    write_all(tmp_path)
    patterns = [tmp_path / name for name in ("*.avro", "*.jsonl", "*.jsonl.gz")]
    rewritten: list[str] = []

    def rewrite_some(path: str, keep: Any) -> None:
        if len(rewritten) == done:
            raise StopError
        rewritten.append(path)
        rewrite(path, keep)

    with mock.patch.object(operation, "rewrite", rewrite_some), suppress(StopError):
        erase(*patterns)
    assert len(rewritten) == min(done, 6)
    erase(*patterns)
    assert not any(canary.encode() in words(tmp_path) for canary in CANARIES)


@pytest.fixture
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yields a database with an empty table of dead letters."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        create_empty(connection, [DEAD_LETTERS], [])
        yield connection


def query_of(connection: duckdb.DuckDBPyConnection) -> Query:
    """Returns a function that runs BigQuery's SQL on a database."""

    def query(sql: str) -> list[dict[str, Any]]:
        (translated,) = sqlglot.transpile(
            sql.replace("{restricted}", "main"), read="bigquery", write="duckdb"
        )
        cursor = connection.execute(translated)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return query


def refuse(
    connection: duckdb.DuckDBPyConnection, name: str, ago: str = "1 DAY", **hashes: str
) -> None:
    """Writes a dead letter with some hashes; its stage is its name."""
    connection.execute(
        "INSERT INTO dead_letters BY NAME SELECT ? AS stage, 'late' AS reason, 'x' AS source, "
        "? AS event, ? AS conversation, ? AS payload_hash, 1 AS size_bytes, 1 AS run, "
        f"'batch' AS origin, CAST(now() AS TIMESTAMP) - INTERVAL {ago} AS ingested_at",
        [name, hashes.get("event"), hashes.get("conversation"), hashes.get("payload", "none")],
    )


def names_of(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Returns the names of the dead letters that are left."""
    return [name for (name,) in connection.execute("SELECT stage FROM dead_letters").fetchall()]


def test_dead_letters_are_deleted_by_their_hashes(
    tmp_path: Path, tables: duckdb.DuckDBPyConnection
) -> None:
    """Dead letters of the user's conversations, events and payloads go, under every secret."""
    path = tmp_path / "a.jsonl"
    write_json_lines(path, [event(0), other(1), reply(2)])
    line = path.read_bytes().splitlines(keepends=True)[0]
    old = Pseudonyms(b"the secret of last year, 32 bytes")
    refuse(tables, "conversation", conversation=shown(PSEUDONYMS.conversation("conv-of-ada-1")))
    refuse(tables, "older", conversation=shown(old.conversation("conv-of-ada-1")))
    refuse(tables, "event", event=PSEUDONYMS.event("event-2").hex())
    refuse(tables, "payload", payload=PSEUDONYMS.payload(line))
    refuse(tables, "other", conversation=shown(PSEUDONYMS.conversation("conv-of-bob")))
    found = search(ADA, [str(path)], [PSEUDONYMS, old])
    assert dead_letters(found, query_of(tables)) == 4
    assert len(names_of(tables)) == 5
    assert forget(found, query_of(tables)) == 4
    assert names_of(tables) == ["other"]


def test_nothing_is_erased_while_dead_letters_cannot_be(
    tmp_path: Path, tables: duckdb.DuckDBPyConnection
) -> None:
    """If BigQuery can't delete a new dead letter yet, the archive stays, so a retry finds it."""
    write_json_lines(tmp_path / "a.jsonl", [event(0)])
    before = words(tmp_path)
    refuse(tables, "new", "1 HOUR", event=PSEUDONYMS.event("event-0").hex())
    found = search(ADA, [f"{tmp_path}/a.jsonl"], [PSEUDONYMS])
    with pytest.raises(InputError, match="nothing was erased, try again later"):
        forget(found, query_of(tables))
    assert words(tmp_path) == before
    assert names_of(tables) == ["new"]


def test_many_hashes_take_several_queries(tmp_path: Path) -> None:
    """No query is longer than BigQuery allows, and together they name every hash."""
    events = [event(n % 9, event_id=f"event-{n}") for n in range(12_000)]
    write_archive(tmp_path / "a.avro", events)
    asked: list[str] = []

    def query(sql: str) -> list[dict[str, Any]]:
        asked.append(sql)
        return [{"letters": 0, "buffered": 0}]

    dead_letters(search(ADA, [f"{tmp_path}/a.avro"], [PSEUDONYMS]), query)
    assert max(map(len, asked)) < 1_000_000
    for number in (0, 4_999, 5_000, 11_999):
        assert any(PSEUDONYMS.event(f"event-{number}").hex() in sql for sql in asked)


def test_it_says_what_was_erased_and_what_to_backfill(tmp_path: Path) -> None:
    """It names days, and ranges of days to backfill, but neither ids nor words."""
    days = [event(0), event(1), reply(25), event(24 * 9), event(2, sent_at_us=2**62)]
    write_json_lines(tmp_path / "a.jsonl", days)
    said = "\n".join(lines(erase(tmp_path / "a.jsonl"), 3, is_applied=True))
    for part in (
        "events erased", "events of 2025-06-02", "events without a readable time",
        "dead letters deleted", "backfill --from=2025-06-02 --to=2025-06-03",
        "backfill --from=2025-06-11 --to=2025-06-11", "What remains",
    ):  # fmt: skip
        assert part in said
    assert not any(canary in said for canary in CANARIES)


def command(tmp_path: Path, *flags: str, file: str | None = None) -> int:
    """Runs the command over the folder's JSON Lines, with Ada's id in a file."""
    (tmp_path / "id.txt").write_text(f"{ADA}\n")
    named = file or f"{tmp_path}/id.txt"
    return main(["forget", "--user-file", named, "--archive", f"{tmp_path}/*.jsonl", *flags])


def test_a_dry_run_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --apply the command only says what it would erase."""
    write_json_lines(tmp_path / "a.jsonl", [event(0), other(1)])
    before = (tmp_path / "a.jsonl").read_bytes()
    assert command(tmp_path) == 0
    said = capsys.readouterr()
    assert "Nothing was changed" in said.out
    assert (tmp_path / "a.jsonl").read_bytes() == before
    assert not any(canary in said.out + said.err for canary in CANARIES)


def test_the_command_erases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --apply it erases; the id may come from stdin; a repetition finds nothing."""
    write_json_lines(tmp_path / "a.jsonl", [event(0), other(1)])
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ADA}\r\n"))
    assert command(tmp_path, "--apply", file="-") == 0
    assert ADA.encode() not in (tmp_path / "a.jsonl").read_bytes()
    assert command(tmp_path, "--apply") == 0
    assert "nothing to erase" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "text", "said"),
    [
        (["--dataset", "my-project.undertone"], ADA, "give --secret together with --dataset"),
        (["--labels", "labels.jsonl"], ADA, "give --secret together with --dataset"),
        (["--secret", "file"], ADA, "give --secret together with --dataset"),
        ([], f"{ADA}\n{ADA}2", "must have one line with one id, got 2 lines"),
        ([], "\n", "must have one line with one id, got 0 lines"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], text: str, said: str
) -> None:
    """A mistake ends the command with a sentence that says what to do, and shows no id."""
    write_json_lines(tmp_path / "a.jsonl", [event(0)])
    (tmp_path / "ids.txt").write_text(text)
    assert command(tmp_path, *flags, file=f"{tmp_path}/ids.txt") == 2
    error = capsys.readouterr().err
    assert said in error
    assert ADA not in error
