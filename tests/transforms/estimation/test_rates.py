"""Tests the shipped rates: which classifier they belong to, and which files are valid."""

from __future__ import annotations

import logging

import msgspec
import pytest

from transforms.classifiers import load_default
from transforms.estimation.rates import Rate, Rates, decode_rates, encode_rates, load_rates

AFFECTIVE = Rate("all", "use", "affective", 14, 28, 34, 1573)


def test_the_shipped_rates_belong_to_the_shipped_model(caplog: pytest.LogCaptureFixture) -> None:
    """Both modes have rates for the share of affective conversations, and no warning is logged."""
    for version in (load_default().version, f"accurate-{load_default().version}"):
        shipped = load_rates(version)
        assert ("all", "use", "affective") in {
            (r.language, r.facet, r.facet_value) for r in shipped
        }
        assert all(rate.positives > 0 and rate.negatives > 0 for rate in shipped)
    assert not caplog.records


def test_another_version_has_no_rates_and_logs_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Rates of a different version are not used, and one warning names both versions."""
    with caplog.at_level(logging.WARNING):
        assert load_rates("labels") == ()
    (said,) = caplog.messages
    assert "not for labels" in said
    assert load_default().version in said


def test_a_written_file_is_read_back() -> None:
    """A run reads the file that evaluation wrote, with one field per line for diffs."""
    both = (AFFECTIVE, Rate("zh", "pushback", "all", 1, 2, 3, 4))
    rates = (Rates("c-1", both), Rates("accurate-c-1", (AFFECTIVE,)))
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
