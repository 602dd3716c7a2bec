"""Tests corrected shares against a reference and a known truth, and where they are null."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.labels import PUSHBACK_REASONS, TYPES, USES
from schemas.records import AggregateRow, ClassifierRate
from tests.builders import HOUR_US, MONDAY_US
from tests.builders_report import database_of, query, rate, row
from tests.schemas.views import reference
from tests.schemas.views.random_cells import (
    AFFECTIVE,
    Cell,
    counts_of,
    expected,
    random_day,
    random_rates,
)
from tests.schemas.views.reference import NOTHING, Counts, Triple

DAY_US = 24 * HOUR_US
TUESDAY_US = MONDAY_US + DAY_US
Shares = dict[tuple[str, str, str], Triple]


def corrected(folder: Path, where: str = "granularity = 'day'") -> Shares:
    """Returns the corrected shares of a run, keyed by facet, value and facet of the whole."""
    rows = query(folder, f"FROM ratios WHERE {where}")
    return {
        (r["facet"], r["facet_value"], r["whole_facet"]): (
            r["corrected_share"], r["corrected_low"], r["corrected_high"],
        )
        for r in rows
    }  # fmt: skip


def assert_equal(found: Shares, counts: Mapping[Cell, int], rates: Mapping[Cell, Counts]) -> int:
    """Compares all shares of a window, and returns how many are corrected."""
    long = 2 * (len(TYPES) + 1) + 1
    assert len(found) == len(USES) + 2 * len(TYPES) - 1 + long + 5 + len(PUSHBACK_REASONS)
    for (facet, value, whole_facet), triple in found.items():
        wanted = expected((facet, value), whole_facet, counts, rates)
        assert triple == pytest.approx(wanted, abs=1e-9), (facet, value, whole_facet)
    return sum(share is not None for share, _, _ in found.values())


def test_views_equal_the_reference_on_random_cells(tmp_path: Path) -> None:
    """Corrected shares equal the reference's on each of 25 random days and over all of them."""
    rng = np.random.default_rng(3)
    rates = random_rates(rng)
    days = [random_day(rng) for _ in range(25)]
    rows = [
        row(n, *cell, window_start_us=MONDAY_US + day * DAY_US)
        for day, counts in enumerate(days)
        for cell, n in counts.items()
    ]
    folder = database_of(tmp_path, *rows, rates=rates)
    measured, usable = counts_of(rates), 0
    for day, counts in enumerate(days):
        where = f"granularity = 'day' AND epoch_us(window_start) = {MONDAY_US + day * DAY_US}"
        usable += assert_equal(corrected(folder, where), counts, measured)
    sums = {cell: sum(counts[cell] for counts in days) for cell in days[0]}
    usable += assert_equal(corrected(folder, "granularity = 'period'"), sums, measured)
    assert usable > 26 * 20


def test_worked_example(tmp_path: Path) -> None:
    """56 hits in 1,633 at rates 14/28 and 34/1,573 give 2.65 % and the interval of R's `asht`."""
    rows = [row(1633), row(56, *AFFECTIVE)]
    folder = database_of(tmp_path, *rows, rates=[rate((14, 28), (34, 1573))])
    share, low, high = corrected(folder)["use", "affective", "all"]
    assert share == pytest.approx((56 / 1633 - 34 / 1573) / (14 / 28 - 34 / 1573))
    assert (share, low, high) == pytest.approx((0.02650, 0.00319, 0.05523), abs=1e-5)


def expectation_rows() -> list[AggregateRow]:
    """Builds the counts that a classifier gives on average for a known truth.

    Of 10,000 conversations, 1,000 are coaching. Of these 1,000, 200 are long and 300 have pushback.
    Of the other 9,000, 900 are long and none has pushback. The classifier finds 8 in 10 coaching
    conversations, and wrongly flags 1 in 100 others as coaching. It finds 9 in 10 conversations
    with pushback, and wrongly flags 1 in 10 conversations without pushback.
    """
    return [
        row(10_000),
        row(890, "type", "coaching"),  # 800 + 90
        row(1_100, "long"),
        row(169, "long", "coaching"),  # 160 + 9
        row(1_240, "pushback"),  # 270 + 70 + 900
        row(281, "pushback", "coaching"),  # 0.8 * 340 + 0.01 * 900
    ]


EXPECTATION_RATES = (
    rate((800, 1_000), (100, 10_000), "type", "coaching"),
    rate((900, 1_000), (1_000, 10_000), "pushback", "all"),
)


def test_truth_is_recovered_from_expected_counts(tmp_path: Path) -> None:
    """From average counts, the correction gives back the true shares."""
    shares = corrected(database_of(tmp_path, *expectation_rows(), rates=EXPECTATION_RATES))
    truths = {
        ("type", "coaching", "all"): 0.1,
        ("long", "all", "all"): 0.11,
        ("long", "coaching", "type"): 0.2,
        ("pushback", "all", "all"): 0.03,
        ("pushback", "coaching", "type"): 0.3,
    }
    for part, truth in truths.items():
        share, low, high = shares[part]
        assert share == pytest.approx(truth), part
        assert low is not None
        assert high is not None
        assert low < truth < high


def test_without_rates_shares_stay_raw(tmp_path: Path) -> None:
    """Without rates, classified shares are not corrected. Counted shares need no rates."""
    shares = corrected(database_of(tmp_path, *expectation_rows(), row(70, "length", "2")))
    assert shares.pop(("long", "all", "all"))[0] == pytest.approx(0.11)
    assert shares.pop(("length", "2", "all"))[0] == pytest.approx(0.007)
    assert set(shares.values()) == {NOTHING}
    assert len(shares) == 6


@pytest.mark.parametrize(
    "weak",
    [
        rate((11, 100), (10, 100)),
        rate((0, 1), (0, 1000)),  # The test on the shrunken rates alone would accept this one.
        rate((0, 0), (1, 1000)),
        rate((5, 9), (0, 0)),
    ],
)
def test_useless_rates_give_no_correction(weak: ClassifierRate, tmp_path: Path) -> None:
    """If the two rates hardly differ, or one was measured on nothing, no share is corrected."""
    folder = database_of(tmp_path, row(1000), row(50, *AFFECTIVE), rates=[weak])
    assert corrected(folder) == {("use", "affective", "all"): NOTHING}


def test_only_affective_use_is_corrected_alone(tmp_path: Path) -> None:
    """Other uses have no corrected share, because shares corrected one by one need not sum to 1."""
    rows = [row(1000), row(200, *AFFECTIVE), row(300, "use", "work")]
    rates = [rate((80, 100), (9, 900)), rate((80, 100), (9, 900), "use", "work")]
    shares = corrected(database_of(tmp_path, *rows, rates=rates))
    assert shares["use", "affective", "all"] != NOTHING
    assert shares["use", "work", "all"] == NOTHING


def test_a_rate_that_is_no_longer_supported_is_not_used(tmp_path: Path) -> None:
    """If a newer run writes only some of its classifier's rates, the others are not current."""
    rates = [
        rate((8, 10), (10, 1000)),
        rate((8, 10), (10, 1000), "type", "coaching"),
        rate((8, 10), (10, 1000), revision=7),
        rate((5, 10), (10, 1000), "type", "coaching", classifier_version="test-2"),
    ]
    rows = [row(1000), row(200, *AFFECTIVE), row(50, "type", "coaching")]
    shares = corrected(database_of(tmp_path, *rows, rates=rates))
    assert shares["use", "affective", "all"] != NOTHING
    assert shares["type", "coaching", "all"] == NOTHING


def test_drift_is_never_corrected(tmp_path: Path) -> None:
    """The drift matrix has only raw shares, even if there are rates."""
    rows = [row(100), row(40, "type", "coaching"), row(80, "drift", "coaching>coaching")]
    rates = [rate((9, 10), (1, 100), "type", "coaching")]
    database_of(tmp_path, *rows, rates=rates)
    (found,) = query(tmp_path, "FROM drift WHERE granularity = 'day'")
    assert found["raw_share"] is not None
    assert [found[f"corrected_{end}"] for end in ("share", "low", "high")] == [None] * 3


def test_a_language_uses_its_own_rates(tmp_path: Path) -> None:
    """A cell of the breakdown `language` uses the rates of its language if there are any.

    All other cells use the rates of `all`.
    """
    rates = [rate((8, 10), (10, 1000)), rate((50, 100), (100, 1000), language="zh")]
    values = [("language", "zh"), ("language", "fr"), ("platform", "zh"), ("overall", "all")]
    rows = [
        row(n, facet, value, breakdown=name, breakdown_value=of)
        for name, of in values
        for n, facet, value in ((1000, "all", "all"), (200, *AFFECTIVE))
    ]
    database_of(tmp_path, *rows, rates=rates)
    found = query(
        tmp_path,
        "SELECT breakdown, breakdown_value AS of, corrected_share FROM shares "
        "WHERE granularity = 'day'",
    )
    own, shared = (0.2 - 0.1) / (0.5 - 0.1), (0.2 - 0.01) / (0.8 - 0.01)
    assert {(f["breakdown"], f["of"]): pytest.approx(f["corrected_share"]) for f in found} == {
        value: own if value == ("language", "zh") else shared for value in values
    }


def test_versions_do_not_mix(tmp_path: Path) -> None:
    """A day uses the rates of its classifier; a period with two classifiers is not corrected."""
    new: dict[str, Any] = {"classifier_version": "test-2"}
    later: dict[str, Any] = {"window_start_us": TUESDAY_US, **new}
    days = [row(1000), row(200, *AFFECTIVE), row(1000, **later), row(200, *AFFECTIVE, **later)]
    rates = [rate((8, 10), (10, 1000)), rate((50, 100), (100, 1000), **new)]
    folder = database_of(tmp_path, *days, rates=rates)
    found = query(
        folder, "FROM ratios WHERE granularity IN ('day', 'period') ORDER BY granularity, last_day"
    )
    assert [(f["classifier_version"], f["corrected_share"]) for f in found] == [
        ("test-1", pytest.approx(0.19 / 0.79)),
        ("test-2", pytest.approx(0.25)),
        (None, None),
    ]


def test_versions_do_not_mix_within_a_share(tmp_path: Path) -> None:
    """A part stays raw if another classifier version counted its whole, as after an update."""
    part = row(200, *AFFECTIVE, classifier_version="test-2")
    rates = [rate((8, 10), (10, 1000)), rate((8, 10), (10, 1000), classifier_version="test-2")]
    folder = database_of(tmp_path, row(1000), part, rates=rates)
    assert corrected(folder)["use", "affective", "all"] == NOTHING


def test_repeated_rates_change_nothing_and_the_latest_are_used(tmp_path: Path) -> None:
    """If runs write the same rates repeatedly, only the largest revision is used, and only once."""
    old, new = rate((5, 10), (90, 1000)), rate((8, 10), (10, 1000), revision=7)
    folder = database_of(tmp_path, row(1000), row(200, *AFFECTIVE), rates=[new, old, new, old])
    (found,) = query(folder, "FROM ratios WHERE granularity = 'day'")
    assert found["corrected_share"] == pytest.approx(0.19 / 0.79)
    assert query(folder, "SELECT revision FROM classifier_rates_latest") == [{"revision": 7}]


def test_a_lower_bound_stays_one(tmp_path: Path) -> None:
    """A part withheld on one of two days has a corrected lower bound and no upper end."""
    both = [row(1000), row(1000, window_start_us=TUESDAY_US)]
    folder = database_of(tmp_path, *both, row(200, *AFFECTIVE), rates=[rate((8, 10), (10, 1000))])
    share, low, high = corrected(folder, "granularity = 'period'")["use", "affective", "all"]
    wanted = reference.direct(200, 2000, Counts(8, 10, 10, 1000))
    assert (share, low) == pytest.approx(wanted[:2])
    assert high is None


def test_a_whole_that_may_be_all_false_has_no_shares_within(tmp_path: Path) -> None:
    """If all affective hits may be false, their share is corrected, but no share within them is."""
    rows = [row(1000), row(20, *AFFECTIVE), row(100, "long"), row(15, "long", "affective")]
    shares = corrected(database_of(tmp_path, *rows, rates=[rate((14, 28), (34, 1573))]))
    assert shares["use", "affective", "all"][:2] == (0, 0)
    assert shares["long", "affective", "use"] == NOTHING


def test_shares_that_need_a_withheld_count_stay_raw(tmp_path: Path) -> None:
    """If the number of all long conversations is withheld, the long share of a type stays raw."""
    rows = [r for r in expectation_rows() if (r.facet, r.facet_value) != ("long", "all")]
    shares = corrected(database_of(tmp_path, *rows, rates=EXPECTATION_RATES))
    assert shares["long", "coaching", "type"] == NOTHING
    assert shares["pushback", "coaching", "type"] != NOTHING


@pytest.mark.parametrize("older", [("all", "all", 800), ("long", "all", 11_000)])
def test_inconsistent_counts_are_not_corrected(older: tuple[str, str, int], tmp_path: Path) -> None:
    """If a stream's counts contradict each other, there is no corrected share and no error."""
    facet, value, conversations = older
    rows = [r for r in expectation_rows() if (r.facet, r.facet_value) != (facet, value)]
    rows.append(row(conversations, facet, value))
    shares = corrected(database_of(tmp_path, *rows, rates=EXPECTATION_RATES))
    assert shares["long", "coaching", "type"] == NOTHING


def test_a_part_of_zero_has_no_upper_end(tmp_path: Path) -> None:
    """A type with no more hits than false alarms makes up 0 % of the affective conversations.

    This share has no upper end.
    """
    rows = [row(1000), row(200, *AFFECTIVE), row(15, "type", "coaching")]
    rates = [rate((8, 10), (10, 1000)), rate((8, 10), (40, 1000), "type", "coaching")]
    shares = corrected(database_of(tmp_path, *rows, rates=rates))
    assert shares["type", "coaching", "use"] == (0, 0, None)


@pytest.mark.parametrize(
    ("size", "found", "wrong", "positives", "negatives"),
    [
        (1_633, 0.5, 0.022, 28, 1_573),
        (100_000, 0.5, 0.022, 28, 1_573),
        (20_000, 0.9, 0.01, 100, 1_000),
    ],
)
def test_interval_covers_the_truth(
    size: int, found: float, wrong: float, positives: int, negatives: int
) -> None:
    """At least 93 % of 1,000 intervals cover a true share of 3 %, with rates from few labels."""
    rng = np.random.default_rng(11)
    truth, covered = 0.03, 0
    for _ in range(1000):
        true = rng.binomial(size, truth)
        hits = rng.binomial(true, found) + rng.binomial(size - true, wrong)
        rates = rng.binomial(positives, found), positives, rng.binomial(negatives, wrong), negatives
        _, low, high = reference.direct(int(hits), size, Counts(*map(int, rates)))
        covered += low is not None and high is not None and low <= truth <= high
    assert covered >= 930


def test_interval_inside_a_type_covers_the_truth() -> None:
    """Within a type of 3 %, at least 93 % of 1,000 intervals cover the truth.

    This holds for the share of long conversations and for the rate of pushback.
    """
    rng = np.random.default_rng(12)
    size, truth = 20_000, 0.1
    covered = {"long": 0, "pushback": 0}
    for _ in range(1000):
        # In order: conversations with the type and X, the type only, X only, neither.
        true = rng.multinomial(size, [0.003, 0.027, 0.0194, 0.9506])
        flagged = rng.binomial(true, [0.8, 0.8, 0.01, 0.01])
        rates = Counts(int(rng.binomial(60, 0.8)), 60, int(rng.binomial(1500, 0.01)), 1500)
        alike, part = int(true[0] + true[2]), int(flagged[0] + flagged[2])
        triple = reference.long_inside(part, int(flagged.sum()), alike, size, rates)
        covered["long"] += _holds(triple, truth)
        seen = [0.7, 0.05, 0.7, 0.05]
        part = int(rng.binomial(flagged, seen).sum())
        alike = part + int(rng.binomial(true - flagged, seen).sum())
        detector = Counts(int(rng.binomial(200, 0.7)), 200, int(rng.binomial(300, 0.05)), 300)
        triple = reference.pushback_inside(part, int(flagged.sum()), alike, size, detector, rates)
        covered["pushback"] += _holds(triple, truth)
    assert min(covered.values()) >= 930


def _holds(triple: Triple, truth: float) -> bool:
    _, low, high = triple
    return low is not None and high is not None and low <= truth <= high
