"""Tests the shipped rates: which classifier they belong to, and which files are valid."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from training.prevalence import correct
from transforms.classifiers import load_default
from transforms.estimation import rates as module
from transforms.estimation.rates import (
    Drift,
    Rate,
    Rates,
    decode_rates,
    encode_rates,
    load_measured,
)

CONFUSION = ((50, 1, 1, 1, 1, 1, 1, 1),) * 8
AFFECTIVE = Rate("all", "use", "affective", 14, 28, 34, 1573)


def test_the_shipped_rates_belong_to_the_shipped_model() -> None:
    """Both modes have measured and supported rates; another version has none."""
    for version in (load_default().version, f"accurate-{load_default().version}"):
        measured = load_measured(version)
        assert measured
        assert ("use", "affective") in {(rate.facet, rate.facet_value) for rate in measured.rates}
        assert measured.supported
        assert all(rate.is_supported for rate in measured.supported)
    assert load_measured("labels") is None
    assert load_measured(f"{load_default().version},labels") is None


def test_a_written_file_is_read_back() -> None:
    """A run reads the file that evaluation wrote, with one field per line for diffs."""
    both = (AFFECTIVE, Rate("zh", "pushback", "all", 1, 2, 3, 4))
    rates = (
        Rates("c-1", both, CONFUSION, Drift(1, 2, 3)),
        Rates("accurate-c-1", (AFFECTIVE,)),
    )
    encoded = encode_rates(rates)
    assert decode_rates(encoded) == rates
    assert encoded.count(b"\n") > 14


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"language": "klingon"}, "klingon"),
        ({"facet": "length", "facet_value": "2"}, "length '2'"),
        ({"facet_value": "coaching"}, "use 'coaching'"),
        ({"true_positives": 29}, "29 of 28"),
        ({"false_positives": -1}, "-1 of 1573"),
    ],
)
def test_impossible_rates_are_refused(change: dict[str, object], said: str) -> None:
    """An unknown name or an impossible count is refused, and the error shows it."""
    fields = msgspec.structs.asdict(AFFECTIVE) | change
    encoded = msgspec.json.encode([{"classifier_version": "c-1", "rates": [fields]}])
    with pytest.raises(msgspec.ValidationError, match=said):
        decode_rates(encoded)


def test_a_language_and_value_occurs_once() -> None:
    """A second row for the same value and language is refused."""
    with pytest.raises(ValueError, match="all use affective occur twice"):
        Rates("c-1", (AFFECTIVE, AFFECTIVE))


def test_rates_that_differ_between_platforms_support_no_correction() -> None:
    """Half a point is the largest spread; a spread is between 0 and 1."""
    rate = Rate("all", "use", "affective", 80, 100, 10, 1_000)
    for spread, is_supported in ((0.0, True), (0.005, True), (0.006, False)):
        assert msgspec.structs.replace(rate, spread=spread).is_supported == is_supported
    with pytest.raises(ValueError, match=r"got -0\.1"):
        Rate("all", "use", "affective", 80, 100, 10, 1_000, -0.1)


@pytest.mark.parametrize(
    ("found", "wrong", "is_supported"),
    [
        ((25, 48), (19, 1401), True),
        ((29, 29), (19, 1401), False),
        ((30, 30), (5, 499), False),
        ((30, 30), (5, 500), True),
        ((30, 100), (5, 500), False),  # The gain is 0.29.
        ((0, 0), (0, 0), False),
    ],
)
def test_rates_need_enough_data(
    found: tuple[int, int], wrong: tuple[int, int], is_supported: bool
) -> None:
    """A rate is supported from 30 positives, 500 negatives and a gain of more than 0.3."""
    assert Rate("all", "use", "affective", *found, *wrong).is_supported == is_supported


@pytest.mark.parametrize(("found", "wrong"), [(0.5, 0.02), (0.7, 0.05), (0.9, 0.01), (0.6, 0.003)])
def test_a_supported_rate_improves_most_shares(found: float, wrong: float) -> None:
    """At true shares of 1, 3 and 10 %, the corrected share is mostly closer than the raw one."""
    random, closer, size = np.random.default_rng(3), [], 20_000
    for truth in (0.01, 0.03, 0.1):
        for _ in range(300):
            hits, false = int(random.binomial(30, found)), int(random.binomial(500, wrong))
            if not Rate("all", "use", "affective", hits, 30, false, 500).is_supported:
                continue
            true = int(random.binomial(size, truth))
            said = int(random.binomial(true, found) + random.binomial(size - true, wrong))
            share = correct(said, size, hits, 30, false, 500).share
            closer.append(abs(share - truth) < abs(said / size - truth))
    assert len(closer) > 300
    assert np.mean(closer) > 0.5


def test_only_supported_rates_correct_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only supported rates may correct; the report also learns which are not."""
    thin = Rate("all", "type", "coaching", 5, 9, 3, 1400)
    good = Rate("all", "use", "affective", 25, 48, 19, 1401)
    measured = Rates("c-1", (good, thin, Rate("zh", "pushback", "all", 1, 2, 3, 4)))
    monkeypatch.setattr(module, "_shipped", lambda: (measured,))
    assert load_measured("c-1") == measured
    assert measured.supported == (good,)
    assert measured.unsupported == {("type", "coaching")}


def test_uses_are_supported_by_the_confusion_alone() -> None:
    """A use's own rate does not count; each true use needs 50 labelled conversations."""
    thin = Rate("all", "use", "work", 5, 9, 3, 1400)
    few = ((30, 1, 1, 1, 1, 1, 1, 1), *CONFUSION[1:])
    assert not Rates("c-1", (thin,)).unsupported
    assert not Rates("c-1", (thin,)).supports_uses
    assert Rates("c-1", (), CONFUSION).supports_uses
    assert not Rates("c-1", (), few).supports_uses
    assert ("use", "work") in Rates("c-1", (), few).unsupported
    assert ("use", "affective") not in Rates("c-1", (), few).unsupported


@pytest.mark.parametrize(
    ("confusion", "said"),
    [
        (CONFUSION[1:], "8 rows of 8"),
        (((1,) * 7, *CONFUSION[1:]), "8 rows of 8"),
        (((-1, *CONFUSION[0][1:]), *CONFUSION[1:]), "counts -1"),
    ],
)
def test_an_impossible_confusion_is_refused(
    confusion: tuple[tuple[int, ...], ...], said: str
) -> None:
    """The matrix has a row and a column for each use, and no negative count."""
    with pytest.raises(ValueError, match=said):
        Rates("c-1", (), confusion)


@pytest.mark.parametrize("counts", [(3, 2, 9), (1, 10, 9), (-1, 2, 3)])
def test_impossible_drift_is_refused(counts: tuple[int, int, int]) -> None:
    """True drifts are part of those said, and those said are part of all conversations."""
    with pytest.raises(ValueError, match=f"{counts[0]} true of {counts[1]} said of {counts[2]}"):
        Drift(*counts)
