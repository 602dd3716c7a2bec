"""Tests the commands for status and dead letters on emulators of Pub/Sub and BigQuery."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage

from deploy.local.cloud import LocalCloud, local_cloud
from deploy.local.pubsub import subscriber, take
from pipelines.commands.main import main
from pipelines.operations.dead_letter_list import list_groups
from pipelines.operations.status import read_status
from pipelines.sinks.bigquery import InsertClient, query
from pipelines.sinks.database import build_databases, query_run
from pipelines.sinks.write import refusal
from pipelines.sources.pubsub import chunks_of_messages
from pipelines.sources.secret import local_secret
from schemas.counts import COUNTS
from schemas.failures import Reason
from schemas.records import DeadLetter, LedgerTotal, PseudonymousMessage
from schemas.table import Table
from schemas.tables import DEAD_LETTERS, LEDGER, TABLES
from schemas.views import VIEWS
from schemas.wire.validate import Limits
from tests.builders import HOUR_US, MONDAY_US, PSEUDONYMS, avro_event, event_hash
from tests.run_folders import LEDGER_ENTRIES, as_written, counts_row, write_table
from tests.schemas.payloads import write_avro
from tests.services import have
from transforms.conversation.messages import decode_chunk

PATIENCE_S: Final = 20.0
LONG: Final = "x" * 2000


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Runs the emulators with the resources that `undertone` creates."""
    with ExitStack() as stack:
        running = local_cloud(tmp_path_factory.mktemp("cloud"))
        yield have(lambda: stack.enter_context(running))


def undertone(cloud: LocalCloud, *argv: str) -> None:
    """Runs an `undertone` command on the emulated dataset, and asserts that it succeeds."""
    where = [f"--dataset={cloud.dataset}", f"--bigquery_url={cloud.dataset.url}"]
    assert main([*argv, *where]) == 0


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Returns the lines that a command printed, with repeated spaces reduced to one."""
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def insert(cloud: LocalCloud, table: Table, records: Iterable[msgspec.Struct]) -> None:
    """Writes records into a table in the same way as the streaming job does."""
    rows = [table.bigquery_row(record) for record in records]
    client = InsertClient(cloud.dataset, PATIENCE_S)
    ids = [f"{time.monotonic_ns()}-{n}" for n in range(len(rows))]
    assert client.insert_rows_json(f"{cloud.dataset.restricted}.{table.name}", rows, ids) == []


def taken(cloud: LocalCloud, count: int) -> list[Any]:
    """Pulls `count` messages from the job's subscription, and asserts that no more are left."""
    messages: list[Any] = []
    until_s = time.monotonic() + PATIENCE_S
    while len(messages) < count and time.monotonic() < until_s:
        messages += take(cloud.names.subscription)
    messages += take(cloud.names.subscription)
    assert len(messages) == count
    return messages


def decoded(messages: Iterable[Any], max_event_bytes: int) -> tuple[set[bytes], list[DeadLetter]]:
    """Returns the ids of the accepted events, and the dead letters of the refused ones."""
    limits = Limits(allowed_lateness_us=48 * HOUR_US, max_event_bytes=max_event_bytes)
    ids: set[bytes] = set()
    letters: list[DeadLetter] = []
    for chunk in chunks_of_messages([PubsubMessage._from_message(each) for each in messages], "s"):
        some, dead, _ = decode_chunk(chunk, limits, PSEUDONYMS)
        assert all(type(each) is PseudonymousMessage for each in some)
        ids |= {each.event for each in some}
        letters += dead
    return ids, letters


def test_the_local_subscription_has_no_policies(cloud: LocalCloud) -> None:
    """As in a deployment, only the job pulls messages from its subscription."""
    with subscriber() as reader:
        found = reader.get_subscription(subscription=cloud.names.subscription)
    assert not found.dead_letter_policy.dead_letter_topic
    assert not found.retry_policy.minimum_backoff


def test_oversize_events_come_back_once_the_limit_is_raised(
    cloud: LocalCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the size limit is raised, each redrive publishes the events that now fit."""
    now_us = time.time_ns() // 1000
    rows = [
        avro_event(event_id="fine", sent_at_us=now_us),
        avro_event(event_id="long-1", sent_at_us=now_us, text=LONG),
        avro_event(event_id="long-2", sent_at_us=now_us, text=LONG),
        avro_event(event_id="long-3", sent_at_us=now_us, text=LONG, role="CAT"),
    ]
    archive = write_avro(tmp_path / "a.avro", rows)
    topic = f"--topic={cloud.names.topic}"
    assert main(["replay", f"--input={archive}", topic]) == 0
    published = taken(cloud, 4)
    ids, letters = decoded(published, 1024)
    assert ids == {event_hash("fine")}
    insert(cloud, DEAD_LETTERS, as_written([*letters, letters[0]]))
    redrive = partial(
        undertone, cloud, "dead-letters", "redrive", "--reason=oversize", topic,
        f"--archive={archive}", f"--secret={local_secret().path}",
    )  # fmt: skip
    redrive("--max_event_bytes=1024")
    assert "still refused 3 (oversize 3)" in printed(capsys)
    redrive("--max_event_bytes=4000", "--dry_run")
    taken(cloud, 0)
    for _ in range(2):
        redrive("--max_event_bytes=4000")
        lines = printed(capsys)
        assert "payloads refused as oversize 3" in lines
        assert "still refused 1 (invalid_role 1)" in lines
        again = taken(cloud, 2)
        assert decoded(again, 4000) == ({event_hash("long-1"), event_hash("long-2")}, [])
        sent = [(each.data, dict(each.attributes)) for each in published[1:3]]
        assert sorted((each.data, dict(each.attributes)) for each in again) == sorted(sent)


def test_a_refused_row_is_inserted_again(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refused row that its table now accepts is in the view once; a bad row is refused again."""
    good = LEDGER.bigquery_row(LedgerTotal(7, "read", "", 5, 7))
    bad = good | {"records": None}
    letters = [
        refusal(("p:d.ledger", each, [{"reason": "invalid"}]), PSEUDONYMS) for each in (good, bad)
    ]
    insert(cloud, DEAD_LETTERS, as_written(letters))
    for _ in range(2):
        undertone(cloud, "dead-letters", "redrive", f"--reason={Reason.REFUSED_BY_TABLE}")
        lines = printed(capsys)
        assert "inserted 1" in lines
        assert "ledger: invalid 1" in lines
    found = query(cloud.dataset, "SELECT records FROM `{restricted}.ledger_latest` WHERE run = 7")
    assert found == [{"records": 5}]


def test_bigquery_and_a_folder_show_the_same(
    cloud: LocalCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With equal tables, BigQuery and the folder of a local run give the same status and lists."""
    letters = [
        DeadLetter("decode", "undecodable", source, None, None, None, at_us, 9, sha256 * 64)
        for source, at_us, sha256 in (("s", MONDAY_US, "a"), ("s", None, "b"), ("t", 1, "c"))
    ]
    tables: list[tuple[Table, list[Any]]] = [
        (COUNTS, [counts_row(20), counts_row(30, revision=2)]),
        (LEDGER, [msgspec.structs.replace(each, run=MONDAY_US) for each in LEDGER_ENTRIES]),
        (DEAD_LETTERS, as_written(letters, MONDAY_US, ingested_at_us=MONDAY_US + 1)),
    ]
    for table, records in tables:
        insert(cloud, table, records)
        write_table(tmp_path, table, records)
    build_databases(tmp_path)
    bigquery, folder = partial(query, cloud.dataset), partial(query_run, tmp_path)
    assert list_groups(bigquery, "undecodable") == list_groups(folder, "undecodable")
    one, other = (read_status(each, MONDAY_US, run=MONDAY_US) for each in (bigquery, folder))
    assert (one.runs, one.days, one.counted_us) == (other.runs, other.days, other.counted_us)
    assert other.dead_letters[0] in one.dead_letters
    undertone(cloud, "status", "--all")
    assert "2025-06-02" in capsys.readouterr().out


def test_creating_again_lists_tables_and_views(
    cloud: LocalCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a dataset that already exists, `create` succeeds and prints all tables and views."""
    undertone(cloud, "create")
    text = capsys.readouterr().out
    assert str(cloud.dataset) in text
    assert all(name in text for name in (*(table.name for table in TABLES), *VIEWS))
