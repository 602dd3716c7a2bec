"""Tests the arithmetic of the views against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pytest
import sqlglot

from schemas.tables import STREAM, TABLES
from schemas.views import VIEWS, view_description, view_sql
from tests.builders import HOUR_US, MONDAY_US
from tests.builders_report import database_of, query, row

DAY_US = 24 * HOUR_US
TUESDAY_US = MONDAY_US + DAY_US


def _one(folder: Path, sql: str) -> dict[str, Any]:
    (only,) = query(folder, sql)
    return only


CONSTANT: Final = "facets"
"""The view that reads no table."""


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_runs(name: str, tmp_path: Path) -> None:
    """Each view runs on an empty database, and only `facets` has rows.

    The comment of each view names a source.
    """
    folder = database_of(tmp_path)
    assert bool(query(folder, f'FROM "{name}"')) == (name == CONSTANT)
    assert "Source: " in view_description(name)


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_is_bigquery(name: str) -> None:
    """Each view parses as BigQuery SQL, and reads only the dataset's tables and earlier views."""
    (tree,) = sqlglot.parse(view_sql(name, "project.data"), read="bigquery")
    assert tree is not None
    read = {t.name for t in tree.find_all(sqlglot.exp.Table) if t.catalog == "project"}
    assert bool(read) == (name != CONSTANT)
    assert read <= {*(table.name for table in TABLES), *VIEWS[: VIEWS.index(name)]}


def test_latest_revision_is_current(tmp_path: Path) -> None:
    """The largest revision of a cell is current, even if it is written several times."""
    newer = row(20, revision=3)
    folder = database_of(tmp_path, row(18, revision=2), newer, newer, row(15, revision=1))
    assert _one(folder, "SELECT conversations FROM aggregates_latest") == {"conversations": 20}


def test_a_batch_overrides_the_stream(tmp_path: Path) -> None:
    """A day's rows from the batch are current, even if the stream has a larger snapshot number."""
    batch = row(50, snapshot=5, revision=5)
    streamed = [row(70, snapshot=at, revision=at, origin=STREAM) for at in (1, 5, 9)]
    other_day = row(30, window_start_us=TUESDAY_US, origin=STREAM)
    folder = database_of(tmp_path, batch, *streamed, other_day)
    current = query(folder, "SELECT conversations, origin FROM aggregates_latest ORDER BY 1")
    assert current == [
        {"conversations": 30, "origin": "stream"}, {"conversations": 50, "origin": "batch"},
    ]  # fmt: skip


def test_larger_snapshot_replaces_the_day(tmp_path: Path) -> None:
    """The largest snapshot of a day hides the day's other rows, even hours and later revisions."""
    hour: dict[str, Any] = {"granularity": "hour", "window_start_us": MONDAY_US + HOUR_US}
    old = [row(40, "use", "work", revision=9), row(18, revision=9, **hour)]
    other_day = row(70, window_start_us=TUESDAY_US)
    folder = database_of(tmp_path, *old, row(50, revision=5, snapshot=5), other_day)
    rows = query(folder, "SELECT conversations FROM aggregates_latest ORDER BY 1")
    assert [r["conversations"] for r in rows] == [50, 70]


def test_withdrawn_cell_is_gone(tmp_path: Path) -> None:
    """A cell whose latest version has no counts is gone; a later version brings it back."""
    withdrawn = row(None, "use", "work", revision=2)
    folder = database_of(tmp_path, row(30), row(20, "use", "work"), withdrawn)
    assert _one(folder, "SELECT facet FROM aggregates_latest") == {"facet": "all"}
    database_of(folder, row(20, "use", "work"), withdrawn, row(25, "use", "work", revision=3))
    assert _one(folder, "SELECT conversations FROM aggregates_latest") == {"conversations": 25}


def test_share_has_wilson_interval(tmp_path: Path) -> None:
    """10 of 100 gives 10 % and Wilson's interval of 5.52 % to 17.44 % (Newcombe 1998)."""
    folder = database_of(tmp_path, row(100), row(10, "use", "affective"))
    share = _one(folder, "FROM shares WHERE granularity = 'day'")
    assert share["raw_share"] == pytest.approx(0.1)
    assert share["share_low"] == pytest.approx(0.05523, abs=1e-5)
    assert share["share_high"] == pytest.approx(0.17437, abs=1e-5)


def test_type_has_share_of_affective_too(tmp_path: Path) -> None:
    """A type has two shares: of all conversations and of the affective ones; roleplay has one."""
    rows = [row(100), row(40, "use", "affective"), row(10, "type", "coaching")]
    folder = database_of(tmp_path, *rows, row(20, "type", "roleplay"))
    shares = query(
        folder,
        "SELECT facet_value, raw_share, raw_share_of_affective FROM shares "
        "WHERE granularity = 'day' AND facet = 'type' ORDER BY 1",
    )
    assert [tuple(s.values()) for s in shares] == [("coaching", 0.1, 0.25), ("roleplay", 0.2, None)]


def test_long_share_is_of_its_group(tmp_path: Path) -> None:
    """Long conversations are divided by the size of their group.

    The group is all conversations, the affective conversations, or the conversations of one type.
    """
    wholes = [row(100), row(40, "use", "affective"), row(20, "type", "coaching")]
    parts = [row(16, "long"), row(10, "long", "affective"), row(4, "long", "coaching")]
    folder = database_of(tmp_path, *wholes, *parts)
    shares = query(
        folder,
        "SELECT conversation_group, raw_share FROM long_conversations WHERE granularity = 'day'",
    )
    found = {s["conversation_group"]: s["raw_share"] for s in shares}
    assert found == {"all": 0.16, "affective": 0.25, "coaching": 0.2}


def test_pushback_rate_and_reason(tmp_path: Path) -> None:
    """Pushback is divided by all conversations, or by the conversations of one type.

    A reason is divided by the conversations with pushback.
    """
    wholes = [row(200), row(50, "type", "counseling"), row(20, "pushback")]
    parts = [row(10, "pushback", "counseling"), row(5, "pushback_reason", "self_harm")]
    folder = database_of(tmp_path, *wholes, *parts)
    found = query(folder, "SELECT type, reason, raw_share FROM pushback WHERE granularity = 'day'")
    assert {tuple(r.values()) for r in found} == {
        ("all", None, 0.1),
        ("counseling", None, 0.2),
        (None, "self_harm", 0.25),
    }


def test_sentiment_change_from_sums(tmp_path: Path) -> None:
    """The mean, deviation and interval are the same from the sums as from the single changes."""
    changes = np.array([-163, -50, 0, 0, 1, 50, 99, 100, 102, 150, 200, 201, 250, 300, 350, 600])
    sums: dict[str, Any] = {
        "sentiment_change_300ths": int(changes.sum()),
        "sentiment_change_squares": int((changes**2).sum()),
    }
    folder = database_of(tmp_path, row(16, "sentiment", "coaching", **sums))
    found = _one(folder, "FROM sentiment_change WHERE granularity = 'day'")
    mean, deviation = changes.mean() / 300, changes.std(ddof=1) / 300
    assert found["mean_change"] == pytest.approx(mean)
    assert found["sd_change"] == pytest.approx(deviation)
    assert found["change_low"] == pytest.approx(mean - 1.959964 * deviation / 4)
    assert found["change_high"] == pytest.approx(mean + 1.959964 * deviation / 4)


def test_normal_interval_is_close_to_the_bootstrap() -> None:
    """For 15 changes, the normal and the bootstrap interval end within 0.05 points of each other.

    The bootstrap has 1,000 resamplings.
    """
    rng = np.random.default_rng(1)
    changes = rng.integers(-300, 401, 15) / 300
    half = 1.959964 * changes.std(ddof=1) / np.sqrt(15)
    means = rng.choice(changes, (1000, 15)).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    assert low == pytest.approx(changes.mean() - half, abs=0.05)
    assert high == pytest.approx(changes.mean() + half, abs=0.05)


def test_few_changes_have_no_interval(tmp_path: Path) -> None:
    """A mean of fewer than 15 conversations, e.g. of one's own data, has no interval."""
    sums: dict[str, Any] = {"sentiment_change_300ths": 300, "sentiment_change_squares": 90_000}
    folder = database_of(tmp_path, row(1, "sentiment", "all", **sums))
    found = _one(folder, "FROM sentiment_change WHERE granularity = 'day'")
    assert found["mean_change"] == 1
    assert (found["sd_change"], found["change_low"], found["change_high"]) == (None, None, None)


def test_drift_counts_withheld_pairs_into_the_opening(tmp_path: Path) -> None:
    """A pair's share is a lower bound if withheld pairs may have the same opening."""
    pairs = [row(60, "drift", "coaching>coaching"), row(20, "drift", "coaching>companionship")]
    folder = database_of(tmp_path, row(100), *pairs)
    found = _one(folder, "FROM drift WHERE granularity = 'day' AND is_headline")
    assert (found["opening_type"], found["closing_type"]) == ("coaching", "companionship")
    assert (found["withheld"], found["opening_conversations_at_most"]) == (20, 100)
    assert found["raw_share"] == pytest.approx(0.2)
    assert found["share_low"] == pytest.approx(0.13337, abs=1e-5)
    assert found["share_high"] == pytest.approx(0.49800, abs=1e-5)


def test_drift_of_a_released_matrix_is_a_share_of_its_row(tmp_path: Path) -> None:
    """If all pairs are released, each pair is divided by all conversations with its opening.

    The share has Wilson's interval.
    """
    pairs = [row(90, "drift_long", "none>none"), row(10, "drift_long", "none>coaching")]
    folder = database_of(tmp_path, row(300), row(100, "long"), *pairs)
    found = _one(folder, "FROM drift WHERE granularity = 'day' AND closing_type = 'coaching'")
    assert (found["scope"], found["withheld"], found["raw_share"]) == ("long", 0, 0.1)
    assert found["share_high"] == pytest.approx(0.17437, abs=1e-5)


def test_histogram_of_all_conversations(tmp_path: Path) -> None:
    """The overall histogram is from the breakdown `length`, the others from the facet `length`."""
    lengths = [
        row(n, breakdown="length", breakdown_value=value)
        for n, value in ((60, "6-10"), (25, "201+"), (15, "not_published"))
    ]
    platform = {"breakdown": "platform", "breakdown_value": "web"}
    web = [row(50, **platform), row(20, "length", "2", **platform)]
    folder = database_of(tmp_path, row(100), *lengths, *web)
    found = query(
        folder,
        "SELECT breakdown, human_messages, at_least, raw_share FROM length_histogram "
        "WHERE granularity = 'day' ORDER BY ALL",
    )
    assert [tuple(f.values()) for f in found] == [
        ("overall", "201+", 201, 0.25),
        ("overall", "6-10", 6, 0.6),
        ("overall", "not_published", None, 0.15),
        ("platform", "2", 2, 0.4),
    ]


def test_period_sums_conversations_but_not_users(tmp_path: Path) -> None:
    """The period adds up the conversations of its days, but its number of users is null."""
    folder = database_of(tmp_path, row(100), row(50, window_start_us=TUESDAY_US))
    found = _one(folder, "FROM cells WHERE granularity = 'period'")
    assert (found["conversations"], found["users"], found["days"]) == (150, None, 2)
    totals = query(folder, "FROM daily_totals ORDER BY window_start")
    assert [total["conversations"] for total in totals] == [100, 50]


def test_partly_withheld_share_is_a_lower_bound(tmp_path: Path) -> None:
    """If a part is missing on one of two days, its share over both days has no upper end."""
    both = [row(100), row(100, window_start_us=TUESDAY_US)]
    folder = database_of(tmp_path, *both, row(20, "use", "work"))
    found = _one(folder, "FROM shares WHERE granularity = 'period'")
    assert (found["raw_share"], found["days"], found["all_days"]) == (0.1, 1, 2)
    assert found["share_high"] is None


def test_period_share_is_of_the_days_of_its_whole(tmp_path: Path) -> None:
    """A part released on a day without its whole doesn't count in the period's share."""
    parts = [row(20, "type", "coaching"), row(30, "type", "coaching", window_start_us=TUESDAY_US)]
    folder = database_of(tmp_path, row(100), *parts)
    found = _one(folder, "FROM shares WHERE granularity = 'period'")
    assert (found["conversations"], found["all_conversations"]) == (20, 100)
    assert (found["raw_share"], found["days"], found["all_days"]) == (0.2, 1, 1)


def test_missing_cell_is_zero_without_thresholds(tmp_path: Path) -> None:
    """With thresholds of 1 nothing is withheld, so a day without the part counts as 0."""
    off: dict[str, Any] = {"min_users": 1, "min_conversations": 1}
    both = [row(50, **off), row(50, window_start_us=TUESDAY_US, **off)]
    folder = database_of(tmp_path, *both, row(10, "use", "work", **off))
    found = _one(folder, "FROM shares WHERE granularity = 'period'")
    assert found["share_high"] == pytest.approx(0.17437, abs=1e-5)


def test_no_share_of_a_withheld_or_smaller_whole(tmp_path: Path) -> None:
    """If the whole is missing, or is smaller than its part, there is a count but no share."""
    hour: dict[str, Any] = {"granularity": "hour", "window_start_us": MONDAY_US}
    folder = database_of(
        tmp_path, row(20, "use", "work"), row(15, **hour), row(20, "use", "work", **hour)
    )
    found = query(folder, "FROM shares")
    assert len({f["granularity"] for f in found}) == 5
    assert {(f["conversations"], f["raw_share"]) for f in found} == {(20, None)}


def test_not_published_has_no_shares(tmp_path: Path) -> None:
    """`not_published` has counts but no shares; it stands for different values in each facet."""
    rest: dict[str, Any] = {"breakdown": "country", "breakdown_value": "not_published"}
    folder = database_of(tmp_path, row(50, **rest), row(20, "use", "work", **rest))
    assert query(folder, "FROM ratios") == []
    assert len(query(folder, "FROM cells WHERE granularity = 'day'")) == 2


def test_day_is_the_utc_day_in_any_zone(tmp_path: Path) -> None:
    """A snapshot replaces the rows of a UTC day, even if the session has another time zone."""
    late: dict[str, Any] = {"granularity": "hour", "window_start_us": MONDAY_US + 23 * HOUR_US}
    folder = database_of(tmp_path, row(30, **late), row(50, window_start_us=TUESDAY_US, snapshot=2))
    with duckdb.connect(str(folder / "undertone.duckdb"), read_only=True) as connection:
        connection.execute("SET TimeZone = 'America/Los_Angeles'")
        found = connection.execute("SELECT count(*) FROM aggregates_latest").fetchone()
    assert found == (2,)
