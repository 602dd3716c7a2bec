"""Tests of the charts: numbers become text and coordinates."""

from __future__ import annotations

from datetime import date

import pytest

from pipelines.report.charts import (
    change_bars,
    day_series,
    length_columns,
    long_mark,
    share_bars,
)
from pipelines.report.figures import Change, Day, HeadlineDrift, Period, Share
from pipelines.report.wording import Wording, percent, points, reliability
from transforms.estimation.rates import Drift
from transforms.facets.lengths import LENGTHS

PERIOD = Period(1000, 2, date(2025, 6, 2), date(2025, 6, 3), 15, 15, ["1"], ["test"])
WORDS = Wording(PERIOD)


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


def test_withheld_share_is_not_drawn() -> None:
    """A withheld share has text but no bar."""
    (bar,) = share_bars([Share("coaching")], WORDS).bars
    assert (bar.text, bar.end, bar.low) == ("fewer than 15 users", None, None)


def test_bars_share_one_scale_within_the_drawing() -> None:
    """The longest interval nearly fills the drawing; for half the share, a bar is half as long."""
    shares = [Share("a", 40, 100, 0.4, 0.3, 0.5), Share("b", 20, 100, 0.2, 0.1, 0.3)]
    first, second = share_bars(shares, WORDS).bars
    assert first.high is not None
    assert 85 < first.high < 100
    assert first.end == pytest.approx(2 * (second.end or 0), rel=1e-4)


def test_ticks_are_round() -> None:
    """A scale has a few round ticks from zero to its end."""
    ticks = share_bars([Share("a", 43, 1000, 0.043, 0.03, 0.06)], WORDS).ticks
    assert [tick.text for tick in ticks] == ["0%", "2%", "4%", "6%"]
    assert all(0 <= tick.at <= 100 for tick in ticks)


def test_lower_bound_is_open() -> None:
    """A share that is a lower bound is drawn without an interval.

    The upper end of the interval is unknown.
    """
    (bar,) = share_bars([Share("a", 4, 9, 0.4, 0.3, None, is_lower_bound=True)], WORDS).bars
    assert (bar.text, bar.is_open, bar.low) == ("≥\u00a040.0%", True, None)


def test_changes_are_drawn_around_the_middle() -> None:
    """A change of zero is in the middle, a worse mood to the left, a better mood to the right."""
    changes = [Change("a", 20, -0.1, -0.2, 0.0, 0.5), Change("b", 20, 0.1, 0.0, 0.2, 0.5)]
    worse, better = change_bars(changes, WORDS).bars
    assert (worse.high, better.low) == (50, 50)
    assert (worse.end or 0) + (better.end or 0) == pytest.approx(100)


def test_long_begins_after_fifty() -> None:
    """The mark for long conversations is between the columns 21-50 and 51-100.

    Only the columns after the mark are highlighted.
    """
    lengths = [Share(name, 10, 100, 0.1, 0.05, 0.2) for name in LENGTHS]
    columns = length_columns(lengths, WORDS)
    assert long_mark(lengths) == pytest.approx(columns.columns[LENGTHS.index("51-100")].at)
    loud = [c.name.split()[0] for c in columns.columns if not c.is_quiet]
    assert loud == ["51-100", "101-200", "201+"]


def test_line_breaks_at_a_withheld_day() -> None:
    """On a day without a share, the line has a gap."""
    known, gap = Share("affective", 5, 50, 0.1, 0.05, 0.2), Share("affective")
    days = [Day(date(2025, 6, n), 50, s) for n, s in ((2, known), (3, gap), (4, known))]
    assert [len(run) for run in day_series(days, WORDS).runs] == [1, 1]


def test_a_bar_shows_the_corrected_share() -> None:
    """The bar shows the corrected share, and the note beside it gives the raw share."""
    share = Share("a", 40, 100, 0.4, 0.3, 0.5, corrected=0.2, corrected_low=0.1,
                  corrected_high=0.3)  # fmt: skip
    (bar,) = share_bars([share], WORDS).bars
    assert (bar.text, bar.interval, bar.note) == ("20.0%", "10.0–30.0%", "raw 40.0%")
    assert (bar.end or 0) * 3 == pytest.approx((bar.high or 0) * 2, rel=1e-4)


def test_a_bar_without_an_upper_end_draws_no_interval() -> None:
    """If only the upper end is unknown, the estimate is drawn without an interval."""
    share = Share("a", 40, 100, 0.4, 0.3, 0.5, corrected=0.2, corrected_low=0.1)
    (bar,) = share_bars([share], WORDS).bars
    assert (bar.text, bar.interval, bar.low, bar.high) == ("20.0%", "", None, None)


def test_counted_shares_are_not_called_raw() -> None:
    """If no classifier is involved, raw and corrected share are equal and no note is shown."""
    share = Share("all", 40, 100, 0.4, 0.3, 0.5, corrected=0.4, is_counted=True)
    assert WORDS.beside(share) == ""


def test_either_all_days_are_corrected_or_none() -> None:
    """A line over several days never mixes raw shares and corrected shares."""
    raw = Share("affective", 5, 50, 0.1, 0.05, 0.2)
    fixed = Share("affective", 5, 50, 0.1, 0.05, 0.2, corrected=0.3, corrected_low=0.2,
                  corrected_high=0.4)  # fmt: skip
    days = [Day(date(2025, 6, n), 50, fixed) for n in (2, 3)]
    mixed = [*days, Day(date(2025, 6, 4), 50, raw)]
    assert day_series(days, WORDS).is_corrected
    assert "30.0% (20.0–40.0%)" in day_series(days, WORDS).runs[0][0].name
    assert not day_series(mixed, WORDS).is_corrected
    assert "10.0% (5.0–20.0%)" in day_series(mixed, WORDS).runs[0][0].name


def test_an_unsupported_correction_is_named_beside_the_bar() -> None:
    """If the measured rates do not support a correction, the note beside the raw share says so."""
    share = Share("a", 40, 100, 0.4, 0.3, 0.5, is_supported=False)
    (bar,) = share_bars([share], WORDS).bars
    assert bar.note == "raw, correction not supported"


@pytest.mark.parametrize(
    ("share", "withheld", "text"),
    [
        (
            Share("d", 20, 80, 0.25, 0.17, 0.35),
            0,
            "20 of 80 conversations, 25.0% (95% interval 17.0–35.0%)",
        ),
        (
            Share("d", 20, 80, 0.25, 0.17, 0.6, is_lower_bound=True),
            30,
            "at least 20 of at most 80 conversations, at least 25.0% (95% interval 17.0–60.0%)",
        ),
        (Share("d", 0, 80, 0.0, 0.0, 0.05), 0, "none"),
        (
            Share("d", 0, 80, 0.0, 0.0, 0.3, is_lower_bound=True),
            20,
            "fewer than 15 users a day; at most 30.0%",
        ),
        (Share("d"), None, "fewer than 15 users a day"),
    ],
)
def test_the_headline_drift_has_count_share_and_interval(
    share: Share, withheld: int | None, text: str
) -> None:
    """The drift to companionship has its count, share and interval, unless it was withheld."""
    assert WORDS.headline_drift(HeadlineDrift(share, withheld)) == text


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
