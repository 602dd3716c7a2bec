"""Tests of the charts: numbers become text and coordinates."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from pipelines.report import wording
from pipelines.report.charts import (
    change_bars,
    day_series,
    length_columns,
    long_mark,
    share_bars,
)
from pipelines.report.figures import Change, Day, Receipt, Share
from pipelines.report.wording import percent, points, reliability
from schemas.published import CORRECTED, COUNTED, RAW
from transforms.estimation.rates import Drift
from transforms.facets.lengths import LENGTHS
from transforms.publishing.policy import OWN_DATA, Policy


def raw(name: str, part: int, whole: int, low: float, high: float) -> Share:
    """Builds a raw share."""
    return Share(name, part, whole, part / whole, None, low, high, RAW)


CORRECTED_SHARE = Share("a", 40, 100, 0.4, 0.2, 0.1, 0.3, CORRECTED)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (0.00005, "<0.01%"), (0.0042, "0.42%"), (0.0286, "2.9%"), (1, "100%")],
)
def test_shares_are_written_as_per_cent(share: float, text: str) -> None:
    """A share has about three digits, and a small share is never written as zero."""
    assert percent(share) == text


@pytest.mark.parametrize(("change", "text"), [(0.2, "+0.20"), (-0.2, "−0.20"), (-0.001, "0.00")])
def test_changes_are_written_with_their_sign(change: float, text: str) -> None:
    """A change has a plus sign or a true minus sign; zero has no sign."""
    assert points(change) == text


def test_a_missing_share_is_not_drawn() -> None:
    """A share that was not published has text but no bar."""
    (bar,) = share_bars([Share("coaching")]).bars
    assert (bar.text, bar.end, bar.low, bar.interval) == ("too few", None, None, "")


def test_no_conversations_are_not_too_few() -> None:
    """A share of no conversations is called none."""
    (bar,) = share_bars([Share("coaching", conversations=0)]).bars
    assert (bar.text, bar.end) == ("none", None)


def test_bars_share_one_scale_within_the_drawing() -> None:
    """The longest interval nearly fills the drawing; for half the share, a bar is half as long."""
    shares = [raw("a", 40, 100, 0.3, 0.5), raw("b", 20, 100, 0.1, 0.3)]
    first, second = share_bars(shares).bars
    assert first.high is not None
    assert 85 < first.high < 100
    assert first.end == pytest.approx(2 * (second.end or 0), rel=1e-4)


def test_ticks_are_round() -> None:
    """A scale has a few round ticks from zero to its end."""
    ticks = share_bars([raw("a", 43, 1000, 0.03, 0.06)]).ticks
    assert [tick.text for tick in ticks] == ["0%", "2%", "4%", "6%"]
    assert all(0 <= tick.at <= 100 for tick in ticks)


def test_changes_are_drawn_around_the_middle() -> None:
    """A change of zero is in the middle, a worse mood to the left, a better mood to the right."""
    changes = [
        Change("a", 20, raw=-0.1, low=-0.2, high=0.0),
        Change("b", 20, raw=0.1, low=0.0, high=0.2),
    ]
    worse, better = change_bars(changes).bars
    assert (worse.high, better.low) == (50, 50)
    assert (worse.end or 0) + (better.end or 0) == pytest.approx(100)


def test_long_begins_after_fifty() -> None:
    """The mark for long conversations is between the columns 21-50 and 51-100.

    Only the columns after the mark are highlighted.
    """
    lengths = [Share(name, 10, 100, 0.1, None, 0.05, 0.2, COUNTED) for name in LENGTHS]
    columns = length_columns(lengths)
    assert long_mark(lengths) == pytest.approx(columns.columns[LENGTHS.index("51-100")].at)
    loud = [c.name.split()[0] for c in columns.columns if not c.is_quiet]
    assert loud == ["51-100", "101-200", "201+"]


def test_line_breaks_at_a_missing_day() -> None:
    """On a day without a share, the line has a gap."""
    known, gap = raw("affective", 5, 50, 0.05, 0.2), Share("affective")
    days = [Day(date(2025, 6, n), 50, s) for n, s in ((2, known), (3, gap), (4, known))]
    assert [len(run) for run in day_series(days).runs] == [1, 1]


def test_a_bar_shows_the_corrected_share() -> None:
    """The bar shows the corrected share, and the note beside it gives the raw share."""
    (bar,) = share_bars([CORRECTED_SHARE]).bars
    assert (bar.text, bar.interval, bar.note) == ("20.0%", "10.0–30.0%", "raw 40.0%")
    assert (bar.end or 0) * 3 == pytest.approx((bar.high or 0) * 2, rel=1e-4)


def test_counted_shares_are_not_called_raw() -> None:
    """If no classifier is involved, there is no note."""
    assert wording.beside(Share("all", 40, 100, 0.4, None, 0.3, 0.5, COUNTED)) == ""


def test_a_line_never_mixes_methods() -> None:
    """A line over several days has only shares of one method, that of most days."""
    other = raw("affective", 5, 50, 0.05, 0.2)
    days = [Day(date(2025, 6, n), 50, CORRECTED_SHARE) for n in (2, 3)]
    mixed = [*days, Day(date(2025, 6, 4), 50, other)]
    assert day_series(mixed).is_corrected
    assert [len(run) for run in day_series(mixed).runs] == [2]
    assert "20.0% (10.0–30.0%)" in day_series(mixed).runs[0][0].name
    assert not day_series(mixed[2:]).is_corrected


def test_an_unsupported_correction_is_named_beside_the_bar() -> None:
    """If the measured rates do not support a correction, the note beside the raw share says so."""
    share = Share("a", 40, 100, 0.4, None, 0.3, 0.5, RAW, is_supported=False)
    (bar,) = share_bars([share]).bars
    assert bar.note == "raw, correction not supported"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (raw("d", 12, 80, 0.08, 0.24), "12 of 80 conversations, 15.0% (95% interval 8.0–24.0%)"),
        (Share("d"), "too few"),
        (Share("d", conversations=0), "none"),
    ],
)
def test_the_headline_drift_has_count_share_and_interval(share: Share, text: str) -> None:
    """The drift to companionship has its count, share and interval, if it was published."""
    assert wording.drift(share) == text


def test_protection_is_said_in_words() -> None:
    """The thresholds and the noise are said in sentences; exact numbers come with a warning."""
    receipt = Receipt("range/x/1", Policy(min_users=20), "key", "2", "test")
    said = " ".join(wording.protection(receipt))
    assert "at least 20 distinct users and 15 conversations" in said
    assert "noise of at most ±5 (variance 4)" in said
    assert "at most 200 values" in said
    (exact,) = wording.protection(replace(receipt, policy=OWN_DATA))
    assert "do not pass it on" in exact


@pytest.mark.parametrize(
    ("drift", "opening"),
    [
        (None, "Single drifts cannot be supported yet"),
        (Drift(0, 0, 90), "Single drifts cannot be supported yet"),
        (Drift(19, 40, 900), "Single drifts cannot be supported yet by the labels: of 40"),
        (Drift(20, 40, 900), "How reliable this is: of 40 labelled conversations"),
    ],
)
def test_one_sentence_says_how_reliable_drifts_are(drift: Drift | None, opening: str) -> None:
    """Drifts are supported only if at least half of those that were measured are real."""
    sentence = reliability(drift)
    assert sentence.startswith(opening)
    assert sentence.count(". ") == 0
