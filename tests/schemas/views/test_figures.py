"""Tests the figures that need several cells: drift headline, long conversations, bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.builders import HOUR_US, MONDAY_US
from tests.builders_report import database_of, query, rate, row
from tests.schemas.views import reference
from tests.schemas.views.reference import Counts

TUESDAY_US = MONDAY_US + 24 * HOUR_US
TYPES = ("companionship", "romantic_roleplay", "roleplay")
OFF: dict[str, Any] = {"min_users": 1, "min_conversations": 1}


def _one(folder: Path, sql: str) -> dict[str, Any]:
    (only,) = query(folder, sql)
    return only


def test_headline_takes_both_openings_together(tmp_path: Path) -> None:
    """The share of drifts to companionship is taken among both openings together.

    Long conversations have a separate row.
    """
    pairs = [
        row(60, "drift", "coaching>coaching"),
        row(20, "drift", "coaching>companionship"),
        row(30, "drift", "counseling>companionship"),
        row(90, "drift", "none>companionship"),
        row(16, "drift_long", "counseling>counseling"),
    ]
    folder = database_of(tmp_path, row(215), row(20, "long"), *pairs)
    found = query(folder, "FROM drift_headline WHERE granularity = 'day' ORDER BY scope")
    counts = ("scope", "conversations", "opening_conversations_at_most", "withheld", "raw_share")
    assert [tuple(f[name] for name in counts) for f in found] == [
        ("all", 50, 125, 15, 0.4),
        ("long", 0, 20, 4, 0),
    ]
    high = reference.wilson(65, 125)[1]
    assert found[0]["share_high"] == pytest.approx(high)


def test_headline_of_a_window_sums_withheld_over_days(tmp_path: Path) -> None:
    """Openings and withheld pairs add up over the days that have one of the two openings."""
    later: dict[str, Any] = {"window_start_us": TUESDAY_US}
    monday = [row(100), row(80, "drift", "coaching>companionship")]
    tuesday = [row(50, **later), row(40, "drift", "none>none", **later)]
    folder = database_of(tmp_path, *monday, *tuesday)
    found = _one(folder, "FROM drift_headline WHERE granularity = 'period'")
    assert (found["conversations"], found["withheld"], found["whole_days"]) == (80, 20, 1)
    database_of(folder, *monday, *tuesday, row(5, "drift", "counseling>none", **later))
    found = _one(folder, "FROM drift_headline WHERE granularity = 'period'")
    assert (found["conversations"], found["withheld"], found["whole_days"]) == (80, 25, 2)
    assert found["opening_conversations_at_most"] == 110


def test_headline_stays_out_of_the_matrix(tmp_path: Path) -> None:
    """The matrix has no row for both openings together, so the counts of its rows add up."""
    folder = database_of(tmp_path, row(100), row(80, "drift", "coaching>companionship"))
    assert len(query(folder, "FROM drift WHERE granularity = 'day'")) == 1


def test_types_of_long_conversations(tmp_path: Path) -> None:
    """Parts of the long conversations are corrected by the rates of a type or of affective use."""
    rows = [row(9000), row(400, "type", "coaching"), row(1000, "long")]
    parts = [row(100, "long", "coaching"), row(150, "long", "affective")]
    rates = [rate((90, 100), (20, 1000), "type", "coaching"), rate((80, 100), (10, 1000))]
    folder = database_of(tmp_path, *rows, *parts, rates=rates)
    found = query(folder, "FROM long_conversation_types WHERE granularity = 'day' ORDER BY 6")
    assert [(f["conversation_group"], f["raw_share"]) for f in found] == [
        ("affective", 0.15),
        ("coaching", 0.1),
    ]
    for f, counts in zip(
        found, (Counts(80, 100, 10, 1000), Counts(90, 100, 20, 1000)), strict=True
    ):
        wanted = reference.direct(int(f["conversations"]), 1000, counts)
        named = (f["corrected_share"], f["corrected_low"], f["corrected_high"])
        assert named == pytest.approx(wanted)
    assert {f["whole_conversations"] for f in query(folder, "FROM long_conversations")} != {1000}


def test_companionship_and_roleplay_are_between_largest_and_sum(tmp_path: Path) -> None:
    """The joint share of three released types is between their largest share and their sum."""
    rows = [row(n, "type", name) for n, name in zip((40, 20, 30), TYPES, strict=True)]
    rates = [rate((90, 100), (10, 1000), "type", name) for name in TYPES]
    folder = database_of(tmp_path, row(1000), *rows, rates=rates)
    found = _one(folder, "FROM companionship_and_roleplay WHERE granularity = 'day'")
    assert (found["raw_share_at_least"], found["raw_share_at_most"]) == pytest.approx((0.04, 0.09))
    single = [reference.direct(n, 1000, Counts(90, 100, 10, 1000)) for n in (40, 20, 30)]
    assert found["corrected_share_at_least"] == pytest.approx(max(s[0] or 0 for s in single))
    assert found["corrected_share_at_most"] == pytest.approx(sum(s[0] or 0 for s in single))
    assert found["corrected_low"] == pytest.approx(max(s[1] or 0 for s in single))
    assert found["corrected_high"] == pytest.approx(sum(s[2] or 0 for s in single))


def test_a_withheld_type_leaves_the_sum_open(tmp_path: Path) -> None:
    """If a type is missing, the joint share has no upper end.

    If nothing is withheld, the missing type is 0, and there is an upper end.
    """
    rows = [row(1000), row(40, "type", "companionship"), row(20, "type", "roleplay")]
    folder = database_of(tmp_path, *rows)
    found = _one(folder, "FROM companionship_and_roleplay WHERE granularity = 'day'")
    assert (found["raw_share_at_least"], found["raw_share_at_most"]) == (0.04, None)
    exhaustive = [row(r.conversations, r.facet, r.facet_value, **OFF) for r in rows]
    database_of(folder, *exhaustive)
    found = _one(folder, "FROM companionship_and_roleplay WHERE granularity = 'day'")
    assert found["raw_share_at_most"] == pytest.approx(0.06)
    assert found["released_types"] == 2
