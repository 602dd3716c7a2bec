"""A user's conversations are erased from samples, judgements and labels, and others' are not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec
import pytest
import sqlglot

from pipelines.commands.main import main
from pipelines.judging.folder import opened
from pipelines.judging.journal import JOURNAL_FILE
from pipelines.operations.forget_judged import forget_in_dataset, forget_labels
from pipelines.operations.forget_search import Found, Person
from pipelines.publishing.folder import parquet_file
from pipelines.sinks.archive import write_archive
from pipelines.sinks.database import RESTRICTED_FOLDER, TABLES_FOLDER, create_empty, query_run
from pipelines.sinks.records import read_records
from schemas.failures import InputError
from schemas.judged import (
    CANDIDATES,
    JUDGED,
    JUDGEMENTS,
    SAMPLE,
    CandidatesRow,
    JudgementRow,
    SampleRow,
)
from tests.builders import MONDAY_US, OPERATOR_SECRET, PSEUDONYMS, SECOND_US, avro_event
from transforms.counting.candidates import candidates_of_text
from transforms.counting.contribution import rank_of
from transforms.judging.identity import sample_id

ADA: Final = "user-ada-4711"
USERS: Final = (ADA, "bob", "cy", "dan")
Query = Callable[[str], list[dict[str, Any]]]


def sampled(conversation: str) -> str:
    """Returns the hash by which the sample names a conversation."""
    return sample_id(rank_of(PSEUDONYMS.conversation(conversation))).hex()


FOUND: Final = Found(Person(ADA, frozenset({"c-ada"})), 1, sampled={sampled("c-ada")})


def events() -> list[dict[str, Any]]:
    """Builds one conversation of two messages for each user; one is named after Ada."""
    return [
        avro_event(event_id=f"{user}-{at}", conversation_id=f"c-{'ada' if user == ADA else user}",
                   user_id=user, text="hello there", sent_at_us=MONDAY_US + at * SECOND_US)
        for user in USERS
        for at in range(2)
    ]  # fmt: skip


def judgement(sample: SampleRow) -> JudgementRow:
    """Builds a judgement of a sampled conversation."""
    return JudgementRow(
        sample.day_us, sample.conversation, sample.started_at_us, "labels", "1", JUDGED,
        sample.human_messages, "work", "", "none", "none", "", None, None, 0.0, 1,
    )  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Counts an archive, samples all of it and judges it; one judgement is still in the journal."""
    write_archive(tmp_path / "a.avro", events())
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_bytes(OPERATOR_SECRET)
    (tmp_path / "id.txt").write_text(ADA)
    flags = ["--own_data", "--classifier=default", f"--output={tmp_path / 'run'}"]
    assert main(["run", f"--input={tmp_path / 'a.avro'}", *flags]) == 0
    with opened(tmp_path / "run") as judged:
        sample = judged.choose_sample(10, 1, PSEUDONYMS.key_id)
    assert {row.conversation for row in sample} >= FOUND.sampled
    journal = tmp_path / "run" / RESTRICTED_FOLDER / JOURNAL_FILE
    lines = [msgspec.json.encode(judgement(row)) + b"\n" for row in sample]
    journal.write_bytes(b"".join(lines))
    return tmp_path / "run"


def command(run: Path, *flags: str) -> int:
    """Runs the command over the archive and the run, with Ada's id in a file."""
    place = run.parent
    return main([
        "forget", f"--user_file={place / 'id.txt'}", f"--archive={place}/*.avro", f"--run={run}",
        f"--secret={place / 'secret'}", *flags,
    ])  # fmt: skip


def names_in(run: Path) -> list[set[str]]:
    """Returns the conversations in candidates, sample and judgements."""
    tables = run / RESTRICTED_FOLDER / TABLES_FOLDER
    rows = read_records(parquet_file(tables, CANDIDATES), CANDIDATES, CandidatesRow)
    return [
        {each.id.hex() for row in rows for each in candidates_of_text(row.candidates)},
        {r.conversation for r in read_records(parquet_file(tables, SAMPLE), SAMPLE, SampleRow)},
        {
            row.conversation
            for row in read_records(parquet_file(tables, JUDGEMENTS), JUDGEMENTS, JudgementRow)
        },
    ]


def test_a_run_keeps_no_row_of_the_user(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Candidates, sample, judgements and journal lose the user, and so does the database."""
    others = {sampled(f"c-{user}") for user in USERS[1:]}
    assert command(run) == 0
    assert names_in(run)[0] == others | FOUND.sampled
    assert command(run, "--apply") == 0
    assert names_in(run) == [others] * 3
    assert not (run / RESTRICTED_FOLDER / JOURNAL_FILE).exists()
    rows = query_run(run, "SELECT conversation FROM `{restricted}.judgements`")
    assert {row["conversation"] for row in rows} == others
    said = capsys.readouterr().out
    assert "rows of judgements in run deleted" in said
    assert not any(name in said for name in (ADA, *FOUND.sampled))


@pytest.fixture
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yields a database with a sampled and judged conversation of Ada's and one of Bob's."""
    with duckdb.connect() as connection:
        create_empty(connection, [SAMPLE, JUDGEMENTS], [])
        for table in (SAMPLE, JUDGEMENTS):
            for name in ("c-ada", "c-bob"):
                values = {"STRING": "''", "INT64": "0", "FLOAT64": "0", "TIMESTAMP": "now()"}
                listed = ", ".join(
                    f"'{sampled(name)}'" if c.name == "conversation" else values[c.type]
                    for c in table.columns
                )
                connection.execute(f"INSERT INTO {table.name} SELECT {listed}")
        yield connection


def query_of(connection: duckdb.DuckDBPyConnection) -> Query:
    """Returns a function that runs BigQuery's SQL on a database."""

    def query(sql: str) -> list[dict[str, Any]]:
        named = sql.replace("{restricted}", "main")
        (translated,) = sqlglot.transpile(named, read="bigquery", write="duckdb")
        cursor = connection.execute(translated)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return query


def test_a_dataset_keeps_no_row_of_the_user(tables: duckdb.DuckDBPyConnection) -> None:
    """Rows of the user are counted, and deleted only if that is asked for."""
    expected = [("rows of sample", 1), ("rows of judgements", 1)]
    assert forget_in_dataset(FOUND, query_of(tables), is_applied=False) == expected
    assert forget_in_dataset(FOUND, query_of(tables), is_applied=True) == expected
    for table in ("sample", "judgements"):
        left = tables.execute(f"SELECT conversation FROM {table}").fetchall()
        assert left == [(sampled("c-bob"),)]


LABELS: Final = (
    {"conversation": "c-ada", "use": "work"},
    {"conversation": sampled("c-ada"), "use": "work"},
    {"data": {"conversation": "c-ada", "dialogue": [{"text": "secret words"}]}, "annotations": []},
)


@pytest.mark.parametrize("is_list", [False, True])
def test_a_file_of_labels_loses_the_user(tmp_path: Path, is_list: bool) -> None:
    """Labels go by id and by hash, with the text in an export; the others stay as they were."""
    other = {"conversation": "c-bob", "use": "work"}
    items = [LABELS[0], other, *LABELS[1:]]
    file = tmp_path / "labels.json"
    lines = "".join(json.dumps(item) + "\n" for item in items)
    file.write_text(json.dumps(items) if is_list else lines)
    file.chmod(0o600)
    before = file.read_bytes()
    assert forget_labels(FOUND, file, is_applied=False) == [("labels in labels.json", 3)]
    assert file.read_bytes() == before
    forget_labels(FOUND, file, is_applied=True)
    left = json.loads(file.read_bytes())
    assert left == ([other] if is_list else other)
    assert file.stat().st_mode & 0o777 == 0o600


def test_labels_that_are_not_json_are_told(tmp_path: Path) -> None:
    """Nothing can be found in a damaged line, so the command says so and changes nothing."""
    file = tmp_path / "labels.jsonl"
    file.write_text('{"conversation": "c-ada"\n')
    with pytest.raises(InputError, match="is not JSON"):
        forget_labels(FOUND, file, is_applied=True)
