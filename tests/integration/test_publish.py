"""Tests the publishing job on the BigQuery emulator: whole, once, corrected and withdrawn."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

import msgspec
import pytest

from pipelines import publish
from pipelines.publishing.dataset import Search, find_scopes, publish_scope
from pipelines.publishing.windows import Scope
from pipelines.sinks.bigquery import Dataset, load, query
from pipelines.sinks.records import query_records
from pipelines.terminal.errors import exit_code_of
from schemas.counts import COUNTS, CountsRow
from schemas.failures import InputError
from schemas.tables import STREAM
from tests.builders import HOUR_US, MONDAY_US
from tests.run_folders import counts_row
from transforms.counting.cells import DAY_US
from transforms.publishing.policy import Policy

NOW_US: Final = MONDAY_US + 40 * DAY_US
POLICY: Final = Policy()


def insert(dataset: Dataset, *rows: CountsRow) -> None:
    """Adds rows to the exact counts."""
    client = dataset.client()
    table = f"{dataset.restricted}.{COUNTS.name}"
    assert client.insert_rows_json(table, [COUNTS.bigquery_row(row) for row in rows]) == []


def place(conversations: int, day: int, **other: Any) -> CountsRow:
    """Builds the counts of all conversations of a day, by a stream unless stated otherwise."""
    fields = {"origin": STREAM, "window_start_us": MONDAY_US + day * DAY_US, "revision": 1}
    return counts_row(conversations, **(fields | other))


def current(dataset: Dataset, day: int) -> list[dict[str, Any]]:
    """Returns the current numbers of a day, with their publication."""
    return query(
        dataset,
        "SELECT publication, breakdown_value, facet, conversations FROM "
        "`{dataset}.aggregates_current` WHERE window_kind = 'day' AND "
        f"UNIX_MICROS(window_start) = {MONDAY_US + day * DAY_US} ORDER BY 1, 2, 3",
    )


def scope_of(day: int) -> Scope:
    """Returns the scope of a day with its hours."""
    return Scope("day", MONDAY_US + day * DAY_US, MONDAY_US + (day + 1) * DAY_US)


def names_of(scopes: Iterable[Scope]) -> set[int]:
    """Returns the days of scopes, counted from `MONDAY_US`."""
    return {(scope.start_us - MONDAY_US) // DAY_US for scope in scopes}


def test_a_day_is_published_whole_and_once(dataset: Dataset) -> None:
    """A closed day is found, published with its hours, and then left alone."""
    hour = {"window_kind": "hour", "window_end_us": MONDAY_US + HOUR_US}
    insert(dataset, place(100, 0), place(60, 0, **hour))
    search = Search(NOW_US, timedelta(days=50))
    assert 0 in names_of(find_scopes(dataset, POLICY, search))
    assert publish_scope(dataset, scope_of(0), POLICY, NOW_US).published == 2
    (row,) = current(dataset, 0)
    assert row["publication"] == "day/2025-06-02/1"
    assert abs(row["conversations"] - 100) <= POLICY.max_noise
    assert 0 not in names_of(find_scopes(dataset, POLICY, search))
    assert publish_scope(dataset, scope_of(0), POLICY, NOW_US + 1).published == 0


def test_only_closed_and_settled_days_are_found(dataset: Dataset) -> None:
    """A day is published some time after its end, and not while a stream writes it again."""
    insert(dataset, place(30, 39), place(30, 37), place(30, 36, snapshot=NOW_US - 60_000_000))
    found = names_of(find_scopes(dataset, POLICY, Search(NOW_US, timedelta(days=5))))
    assert found & {36, 37, 39} == {37}


def test_a_failed_attempt_shows_nothing(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of an attempt that did not commit stay hidden; the next attempt publishes the day."""
    insert(dataset, place(50, 2))
    loaded = []

    def failing(where: Dataset, table: Any, lines: Any) -> None:
        loaded.append(table.name)
        if table.name == "publications":
            raise InputError("BigQuery is down")
        load(where, table, lines)

    monkeypatch.setattr("pipelines.sinks.records.load", failing)
    with pytest.raises(InputError, match="BigQuery is down"):
        publish_scope(dataset, scope_of(2), POLICY, NOW_US)
    assert loaded == ["aggregates", "bases", "publications"]  # One number makes no figure.
    assert current(dataset, 2) == []
    monkeypatch.undo()
    publish_scope(dataset, scope_of(2), POLICY, NOW_US + 1)
    assert len(current(dataset, 2)) == 1


def test_a_backfill_corrects_a_day_only_by_enough_users(dataset: Dataset) -> None:
    """A few late conversations change no number; many of them make a new version."""
    insert(dataset, place(100, 4))
    publish_scope(dataset, scope_of(4), POLICY, NOW_US)
    first = current(dataset, 4)
    batch = {"origin": "batch", "generation": NOW_US, "snapshot": NOW_US, "revision": NOW_US}
    insert(dataset, place(110, 4, **batch))
    assert publish_scope(dataset, scope_of(4), POLICY, NOW_US + 1).published == 0
    assert current(dataset, 4) == first
    later = {key: NOW_US + 9 if key != "origin" else value for key, value in batch.items()}
    insert(dataset, place(130, 4, **later))
    assert publish_scope(dataset, scope_of(4), POLICY, NOW_US + 10).published == 1
    (row,) = current(dataset, 4)
    assert row["publication"] == "day/2025-06-06/2"
    assert abs(row["conversations"] - 130) <= POLICY.max_noise


def test_a_day_keeps_its_policy(dataset: Dataset) -> None:
    """Another policy changes nothing of a published day, because its noise could be averaged."""
    insert(dataset, place(100, 6))
    publish_scope(dataset, scope_of(6), POLICY, NOW_US)
    first = current(dataset, 6)
    insert(dataset, place(500, 6, revision=2))
    assert publish_scope(dataset, scope_of(6), Policy(min_users=50), NOW_US + 1).published == 0
    assert current(dataset, 6) == first


def test_a_withdrawn_publication_is_gone(
    dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command withdraws a publication; the day can then be published again as version 2."""
    insert(dataset, place(100, 8))
    publish_scope(dataset, scope_of(8), POLICY, NOW_US)
    flags = [f"--dataset={dataset}", f"--bigquery_url={dataset.url}"]
    assert exit_code_of(lambda: publish.run([*flags, "--withdraw=day/2025-06-10/1"])) == 0
    assert "day/2025-06-10/1 is withdrawn" in capsys.readouterr().err
    assert current(dataset, 8) == []
    assert exit_code_of(lambda: publish.run([*flags, "--withdraw=day/2025-06-10/1"])) == 2
    assert "there is no current publication day/2025-06-10/1" in capsys.readouterr().err
    publish_scope(dataset, scope_of(8), POLICY, NOW_US + 1)
    assert current(dataset, 8)[0]["publication"] == "day/2025-06-10/2"


def test_the_job_publishes_everything_that_is_closed(
    dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    """The Beam job publishes all scopes; a second run changes none of them."""
    insert(dataset, place(70, 10), place(80, 11))
    flags = [f"--dataset={dataset}", f"--bigquery_url={dataset.url}", "--days=1000"]
    assert exit_code_of(lambda: publish.run(flags)) == 0
    first = current(dataset, 10), current(dataset, 11)
    assert all(first)
    assert "published" in capsys.readouterr().err
    assert exit_code_of(lambda: publish.run(flags)) == 0
    assert (current(dataset, 10), current(dataset, 11)) == first


def test_counts_of_a_stream_add_up_over_its_generations(dataset: Dataset) -> None:
    """A job that starts anew adds to the counts of its predecessor."""
    insert(dataset, place(60, 13), place(70, 13, generation=2, snapshot=9))
    publish_scope(dataset, scope_of(13), POLICY, NOW_US)
    (row,) = current(dataset, 13)
    assert abs(row["conversations"] - 130) <= POLICY.max_noise


def test_a_range_within_another_is_left_alone(dataset: Dataset) -> None:
    """A range is published on its own, even if a shorter one lies within it."""
    ends_us = [MONDAY_US + days * DAY_US for days in (20, 25)]
    for number, end_us in enumerate(ends_us):
        insert(
            dataset,
            place(90, 18, window_kind="range", window_end_us=end_us, origin="batch",
                  generation=number + 1),
        )  # fmt: skip
    longer = Scope("range", MONDAY_US + 18 * DAY_US, ends_us[1])
    assert publish_scope(dataset, longer, POLICY, NOW_US).published == 1


def test_rows_are_read_as_they_were_written(dataset: Dataset) -> None:
    """Instants and numbers survive the way through BigQuery."""
    row = place(33, 15, revision=2**60)
    insert(dataset, row)
    found = query_records(dataset, COUNTS, CountsRow, "{restricted}.counts", f"revision = {2**60}")
    assert found == [row]
    assert msgspec.structs.astuple(found[0]) == msgspec.structs.astuple(row)
