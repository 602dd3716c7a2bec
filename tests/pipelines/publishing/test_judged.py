"""Tests when a judged figure changes between two versions of a window."""

from __future__ import annotations

from pipelines.publishing.windows import Batch
from schemas.published import JUDGED, FigureRow
from tests.judged_publications import JudgedDay


def figures(batch: Batch, value: str) -> dict[tuple[object, ...], FigureRow]:
    """Returns the figures of a value of the breakdown platform, by part and whole."""
    return {
        (f.measure, f.facet, f.facet_value, f.whole_facet, f.whole_value): f
        for f in batch.figures
        if (f.breakdown, f.breakdown_value) == ("platform", value)
    }


def estimates(batch: Batch, value: str) -> list[tuple[object, ...]]:
    """Returns the estimates and intervals of these figures."""
    return [
        (*key, f.corrected, f.low, f.high, f.method) for key, f in figures(batch, value).items()
    ]


def test_few_new_judgements_change_no_figure_whose_counts_stay() -> None:
    """If iOS is corrected, three new judgements do not show in the figures of the web."""
    day = JudgedDay()
    first = day.publish(200)
    second = day.publish(203, [first], is_complete=True)
    assert any(f.method == JUDGED for f in figures(first, "web").values())
    assert estimates(second, "web") == estimates(first, "web")
    assert estimates(second, "ios") != estimates(first, "ios")
    (receipt,) = second.publications
    assert (receipt.judge, receipt.judgements) == ("labels 1", 195)


def test_few_new_judgements_are_no_reason_to_publish() -> None:
    """A day is published again once at least fifteen more conversations are judged."""
    day = JudgedDay()
    first = day.publish(200)
    assert day.publish(224, [first]).publications == []
    better = day.publish(225, [first])
    assert [row.judgements for row in better.publications] == [225]
    assert estimates(better, "web") != estimates(first, "web")


def test_fewer_judgements_do_not_count_as_new_later() -> None:
    """A version that lost judgements is still compared with the most that were used."""
    day = JudgedDay()
    first = day.publish(240)
    second = day.publish(200, [first], is_complete=True)
    assert [row.judgements for row in second.publications] == [240]
    assert estimates(second, "web") == estimates(first, "web")
    assert day.publish(269, [first, second], is_complete=True).publications == []
