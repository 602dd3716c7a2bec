"""Tests the views: which rows are current, and that each measure selects and names its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
import sqlglot

from schemas.published import PUBLISHED_TABLES, WITHDRAWN
from schemas.tables import RESTRICTED_TABLES, TABLES
from schemas.views import PUBLISHED_VIEWS, RESTRICTED_VIEWS, VIEWS, view_description, view_sql
from tests.builders_report import (
    MONDAY,
    TUESDAY,
    WHOLE_RUN,
    change,
    database_of,
    rate,
    receipt,
    row,
    share,
)
from tests.run_folders import query
from transforms.publishing.policy import OWN_DATA, Policy

CONSTANT: Final = "facets"
"""The view that reads no table."""
MOST_READS: Final = 4
"""How often a view may read a table, directly or through other views."""


def one(folder: Path, sql: str) -> dict[str, Any]:
    """Returns the only row of a query."""
    (only,) = query(folder, sql)
    return only


def read_by(name: str) -> list[str]:
    """Returns the tables and views that a view names, once for each time."""
    (tree,) = sqlglot.parse(view_sql(name, "project.data", "project.counts"), read="bigquery")
    assert tree is not None
    return [t.name for t in tree.find_all(sqlglot.exp.Table) if t.catalog == "project"]


def reads_of(name: str) -> int:
    """Returns how often a view reads a table, directly or through other views."""
    return sum(reads_of(inner) if inner in VIEWS else 1 for inner in read_by(name))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a run that published nothing."""
    return database_of(tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize("name", PUBLISHED_VIEWS)
def test_every_published_view_runs(name: str, empty: Path) -> None:
    """On an empty database, only `facets` has rows. The comment of each view has a source."""
    assert bool(query(empty, f'FROM "{name}"')) == (name == CONSTANT)
    assert "Source: " in view_description(name)


@pytest.mark.parametrize("name", RESTRICTED_VIEWS)
def test_every_restricted_view_runs(name: str, empty: Path) -> None:
    """On an empty database, restricted views have no rows. Their comments have a source."""
    assert query(empty / "restricted", f'FROM "{name}"') == []
    assert "Source: " in view_description(name)


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_reads_only_earlier_ones_of_its_dataset(name: str) -> None:
    """Each view is BigQuery SQL. A published view reads nothing restricted, nor the reverse."""
    is_published = name in PUBLISHED_VIEWS
    tables = PUBLISHED_TABLES if is_published else RESTRICTED_TABLES
    views = PUBLISHED_VIEWS if is_published else RESTRICTED_VIEWS
    allowed = {*(table.name for table in tables), *views[: views.index(name)]}
    assert set(read_by(name)) <= allowed
    assert bool(read_by(name)) == (name != CONSTANT)
    other = view_sql(name, "published", "restricted")
    assert ("`restricted." if is_published else "`published.") not in other


def test_no_view_reads_tables_many_times() -> None:
    """Views are thin: even the largest reads tables at most four times in all."""
    assert max(map(reads_of, VIEWS)) <= MOST_READS
    assert reads_of("shares") == len(("figures", "publications"))


@pytest.mark.parametrize("name", sorted({*PUBLISHED_VIEWS} - {CONSTANT}))
def test_every_figure_names_its_window_and_breakdown(name: str, empty: Path) -> None:
    """Each view of measures can be filtered by window, and by breakdown unless it has none."""
    columns = {r["column_name"] for r in query(empty, f'DESCRIBE "{name}"')}
    assert {"window_kind", "window_start", "window_end"} <= columns
    assert {"breakdown", "breakdown_value"} <= columns or name in {
        "publications_current",
        "receipts",
    }


def test_the_largest_version_is_current(tmp_path: Path) -> None:
    """Only rows of the newest publication of a window are shown, and each window has its own."""
    second = f"range/{WHOLE_RUN.name}/2"
    rows = [row(100), row(130, publication=second), row(50, window=MONDAY)]
    folder = database_of(
        tmp_path,
        *rows,
        share(10, 100),
        share(20, 130, publication=second),
        publications=[
            receipt(WHOLE_RUN),
            receipt(WHOLE_RUN, publication=second, version=2),
            receipt(MONDAY),
        ],
    )
    counts = query(folder, "SELECT conversations FROM aggregates_current ORDER BY 1")
    assert [r["conversations"] for r in counts] == [50, 130]
    assert one(folder, "SELECT conversations FROM figures_current") == {"conversations": 20}


def test_rows_without_a_receipt_are_not_shown(tmp_path: Path) -> None:
    """The rows of an attempt that did not finish are not shown, and do not hide the last ones."""
    torn = row(70, attempt=2)
    folder = database_of(tmp_path, row(100), torn, share(9, 70, attempt=2),
                         publications=[receipt(WHOLE_RUN)])  # fmt: skip
    assert one(folder, "SELECT conversations FROM aggregates_current") == {"conversations": 100}
    assert query(folder, "FROM figures_current") == []


def test_a_second_attempt_is_shown_once(tmp_path: Path) -> None:
    """If a publication was written twice, only the later attempt's rows are shown."""
    receipts = [receipt(WHOLE_RUN), receipt(WHOLE_RUN, attempt=2)]
    folder = database_of(tmp_path, row(100), row(100, attempt=2), publications=receipts)
    assert one(folder, "SELECT attempt FROM aggregates_current") == {"attempt": 2}


def test_a_withdrawn_publication_is_gone(tmp_path: Path) -> None:
    """A withdrawn publication has no rows, and its earlier version does not come back."""
    second = f"range/{WHOLE_RUN.name}/2"
    receipts = [
        receipt(WHOLE_RUN),
        receipt(WHOLE_RUN, publication=second, version=2),
        receipt(WHOLE_RUN, publication=second, version=2, attempt=3, status=WITHDRAWN),
    ]
    folder = database_of(tmp_path, row(100), row(130, publication=second), publications=receipts)
    assert query(folder, "FROM aggregates_current") == []
    third = receipt(WHOLE_RUN, publication=f"{second[:-1]}3", version=3, attempt=4)
    database_of(folder, row(99, publication=third.publication, attempt=4),
                publications=[*receipts, third])  # fmt: skip
    assert one(folder, "SELECT conversations FROM aggregates_current") == {"conversations": 99}


def test_receipts_say_how_numbers_were_protected(tmp_path: Path) -> None:
    """A receipt gives the policy's values, and says whether the numbers are exact."""
    policy = Policy(min_users=20, variance=3.5, max_noise=6)
    publications = [receipt(MONDAY, policy), receipt(TUESDAY, OWN_DATA)]
    folder = database_of(tmp_path, publications=publications)
    noisy, exact = query(folder, "FROM receipts ORDER BY window_start")
    assert (noisy["min_users"], noisy["min_conversations"], noisy["max_values"]) == (20, 15, 200)
    assert (noisy["noise_variance"], noisy["max_noise"]) == (3.5, 6)
    assert [noisy["is_exact"], exact["is_exact"]] == [False, True]


def test_totals_are_the_numbers_of_conversations(tmp_path: Path) -> None:
    """There is one total for each value of each breakdown, and no row for a part of it."""
    web: dict[str, Any] = {"breakdown": "platform", "breakdown_value": "web"}
    folder = database_of(tmp_path, row(100), row(60, **web), row(20, "use", "affective"))
    found = query(folder, "SELECT breakdown_value, conversations FROM totals ORDER BY 2")
    assert [tuple(r.values()) for r in found] == [("web", 60), ("all", 100)]


def test_a_share_is_corrected_if_possible(tmp_path: Path) -> None:
    """The share is the corrected one if there is one, with its interval; otherwise the raw one."""
    folder = database_of(
        tmp_path,
        share(200, 1000, corrected=(0.12, 0.1, 0.14)),
        share(100, 1000, "use", "work"),
    )
    found = query(folder, "SELECT share, low, method, raw_share FROM shares ORDER BY 1")
    low = 0.08290943
    assert [tuple(r.values()) for r in found] == [
        (0.1, pytest.approx(low, abs=1e-6), "raw", 0.1),
        (0.12, 0.1, "corrected", 0.2),
    ]


def test_a_type_has_a_share_of_the_affective_ones_too(tmp_path: Path) -> None:
    """The shares of all and of the affective conversations are two rows; `share_of` tells which."""
    of_affective = share(10, 40, "type", "coaching", "use", "affective")
    folder = database_of(tmp_path, share(10, 100, "type", "coaching"), of_affective,
                         share(15, 100, "long", "all"))  # fmt: skip
    found = query(folder, "SELECT facet_value, share_of, share FROM shares ORDER BY share")
    assert [tuple(r.values()) for r in found] == [
        ("coaching", "all", 0.1),
        ("coaching", "affective", 0.25),
    ]


def test_long_conversations_are_seen_from_both_sides(tmp_path: Path) -> None:
    """One view has the long ones of each type, the other has the types of the long ones."""
    folder = database_of(
        tmp_path,
        share(20, 100, "long", "all"),
        share(5, 10, "long", "coaching", "type", "coaching"),
        share(5, 20, "long", "coaching", "long", "all"),
    )
    wanted = "SELECT conversation_group, share, whole_conversations FROM"
    of_groups = query(folder, f"{wanted} long_conversations ORDER BY share")
    assert [tuple(r.values()) for r in of_groups] == [("all", 0.2, 100), ("coaching", 0.5, 10)]
    of_long = one(folder, f"{wanted} long_conversation_types")
    assert tuple(of_long.values()) == ("coaching", 0.25, 20)


def test_pushback_has_a_type_or_a_reason(tmp_path: Path) -> None:
    """A row of pushback names the type in which it is counted, or the reason."""
    folder = database_of(
        tmp_path,
        share(20, 200, "pushback", "all"),
        share(10, 50, "pushback", "counseling", "type", "counseling"),
        share(5, 20, "pushback_reason", "self_harm", "pushback", "all"),
    )
    found = query(folder, "SELECT type, reason, share FROM pushback ORDER BY share")
    assert [tuple(r.values()) for r in found] == [
        ("all", None, 0.1),
        ("counseling", None, 0.2),
        (None, "self_harm", 0.25),
    ]


def test_mood_is_a_mean(tmp_path: Path) -> None:
    """The change of mood is a mean with its interval, and is not among the shares."""
    folder = database_of(tmp_path, change(60, 0.2, 0.1, 0.3, "affective"), share(10, 100))
    found = one(folder, "FROM sentiment_change")
    named = ("conversation_group", "conversations", "mean_change", "low", "high")
    assert tuple(found[name] for name in named) == ("affective", 60, 0.2, 0.1, 0.3)
    assert one(folder, "SELECT share FROM shares") == {"share": 0.1}


def test_the_model_watch_has_both_rates_in_one_row(tmp_path: Path) -> None:
    """Recall and false alarms of a value are one row, and are no shares."""
    folder = database_of(
        tmp_path,
        rate(0.6, 0.5, 0.7, card=0.68),
        rate(0.02, 0.01, 0.03, "false_alarms"),
        rate(0.1, 0.08, 0.12, "false_alarms", "pushback", "all"),
        share(100, 1000),
    )
    found = query(folder, "FROM model_watch ORDER BY facet")
    affective = next(each for each in found if each["facet_value"] == "affective")
    assert len(found) == 2
    assert [affective[f"recall{end}"] for end in ("", "_low", "_high")] == [0.6, 0.5, 0.7]
    assert (affective["card_recall"], affective["card_false_alarms"]) == (0.68, None)
    assert affective["false_alarms"] == 0.02
    assert one(folder, "SELECT share FROM shares") == {"share": 0.1}
    assert query(folder, "FROM pushback") == []


def test_the_headline_of_drift_has_two_scopes(tmp_path: Path) -> None:
    """The headline has one row for all and one for the long conversations, and no pair is in it."""
    opened = "coaching_or_counseling"
    folder = database_of(
        tmp_path,
        share(20, 100, "drift_headline", "companionship", "drift_headline", opened),
        share(6, 20, "drift_long_headline", "companionship", "drift_long_headline", opened),
        share(30, 90, "drift", "coaching>coaching", "opening", "coaching"),
        share(15, 60, "drift_long", "none>coaching", "opening_long", "none"),
    )
    found = query(folder, "SELECT scope, share FROM drift_headline ORDER BY scope")
    assert [tuple(r.values()) for r in found] == [("all", 0.2), ("long", 0.3)]
    pairs = query(folder, "SELECT scope, opening_type, closing_type FROM drift ORDER BY scope")
    assert [tuple(r.values()) for r in pairs] == [
        ("all", "coaching", "coaching"),
        ("long", "none", "coaching"),
    ]


def test_bins_of_lengths_are_in_order(tmp_path: Path) -> None:
    """Each bin of the histogram has its smallest length, by which it can be sorted."""
    bins = [share(n, 100, "length", name) for name, n in (("201+", 5), ("6-10", 60), ("2", 35))]
    found = query(
        database_of(tmp_path, *bins),
        "SELECT human_messages, at_least, share FROM length_histogram ORDER BY at_least",
    )
    assert [tuple(r.values()) for r in found] == [
        ("2", 2, 0.35),
        ("6-10", 6, 0.6),
        ("201+", 201, 0.05),
    ]


def test_companionship_and_roleplay_is_one_share(tmp_path: Path) -> None:
    """The three types together are one figure, with its own interval."""
    together = share(30, 1000, "companionship_and_roleplay", "any", corrected=(0.02, 0.01, 0.05))
    folder = database_of(tmp_path, together, share(20, 1000, "type", "companionship"))
    found = one(folder, "FROM companionship_and_roleplay")
    assert (found["share"], found["high"], found["raw_share"]) == (0.02, 0.05, 0.03)


def test_every_table_is_in_one_dataset(empty: Path) -> None:
    """The database that may be given away has no restricted table or view."""
    with duckdb.connect(str(empty / "undertone.duckdb"), read_only=True) as connection:
        names = {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
    assert names == {*(table.name for table in PUBLISHED_TABLES), *PUBLISHED_VIEWS}
    assert {*(table.name for table in TABLES)} - names == {t.name for t in RESTRICTED_TABLES}
