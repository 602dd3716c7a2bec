"""The agreement of a judge with labels that are taken as the truth."""

from __future__ import annotations

import pytest

from pipelines.judges.agreement import Agreement, Confusion, agreement, rate
from pipelines.judges.interface import Verdict
from schemas.failures import InputError
from schemas.judged import INVALID, JUDGED, REFUSED, JudgedLabels

SAD = JudgedLabels(use="affective", types=("counseling",), pushback_reasons=("self_harm",))
LONELY = JudgedLabels(use="affective", types=("companionship",))
CODE = JudgedLabels(use="technical")


def compared(*pairs: tuple[JudgedLabels, JudgedLabels | str]) -> Agreement:
    """Compares true labels with labels of a judge, or with a status."""
    truth = {(str(n), n): true for n, (true, _) in enumerate(pairs)}
    verdicts = [
        Verdict(str(n), n, 1, JUDGED, said)
        if isinstance(said, JudgedLabels)
        else Verdict(str(n), n, 1, said, None)
        for n, (_, said) in enumerate(pairs)
    ]
    return agreement(verdicts, truth)


def test_every_label_is_counted() -> None:
    """Each label has its own hits, misses and false alarms."""
    found = compared((SAD, SAD), (SAD, LONELY), (CODE, LONELY), (CODE, CODE))
    assert found.labels["affective"] == Confusion(2, 1, 0, 1)
    assert found.labels["counseling"] == Confusion(1, 0, 1, 2)
    assert found.labels["companionship"] == Confusion(0, 2, 0, 2)
    assert found.labels["pushback"] == Confusion(1, 0, 1, 2)
    assert found.uses == {
        ("affective", "affective"): 2,
        ("technical", "affective"): 1,
        ("technical", "technical"): 1,
    }


def test_the_interval_is_wilsons() -> None:
    """8 of 10 is 80 %, from 49.0 to 94.3 %; 0 of 10 has an upper end."""
    assert rate(8, 10) == pytest.approx((0.8, 0.4901625, 0.9433178), abs=1e-6)
    assert rate(0, 10).low == 0
    assert rate(0, 10).high == pytest.approx(0.2775328, abs=1e-6)
    assert rate(0, 0) == (None, 0, 1)


def test_conversations_without_labels_are_counted_apart() -> None:
    """Refused, invalid and missing verdicts are in no rate, but the true use of each is shown."""
    found = compared((SAD, REFUSED), (SAD, INVALID), (CODE, CODE))
    assert found.unjudged == {("affective", REFUSED): 1, ("affective", INVALID): 1}
    assert found.compared == 1
    nothing = agreement([], {("a", 0): SAD})
    assert nothing.unjudged == {("affective", "no verdict"): 1}


def test_verdicts_without_truth_are_left_out() -> None:
    """A conversation that nobody labelled is not compared; another start is another one."""
    verdicts = [Verdict("a", 0, 1, JUDGED, CODE), Verdict("b", 5, 1, JUDGED, CODE)]
    assert agreement(verdicts, {("b", 5): CODE, ("a", 1): CODE}).compared == 1


def test_two_verdicts_of_one_conversation_are_an_error() -> None:
    """A conversation must not count twice."""
    verdicts = [Verdict("a", 0, 1, JUDGED, CODE)] * 2
    with pytest.raises(ValueError, match="conversation a has two verdicts"):
        agreement(verdicts, {("a", 0): CODE})


def test_a_judge_below_the_floor_is_refused() -> None:
    """The error says the kappa and the floor."""
    weak = compared((SAD, SAD), (SAD, CODE), (CODE, LONELY), (CODE, CODE))
    weak.refuse_below(0.0)
    with pytest.raises(InputError, match=r"kappa is 0\.00, and must be at least 0\.6"):
        weak.refuse_below(0.6)


def test_a_judge_can_not_pass_without_both_kinds() -> None:
    """True labels without affective conversations show nothing about a judge."""
    with pytest.raises(InputError, match="label more conversations"):
        compared((CODE, CODE)).refuse_below(-1.0)


def test_a_perfect_judge_passes() -> None:
    """Full agreement has a kappa of 1, and is printed with its intervals."""
    found = compared((SAD, SAD), (CODE, CODE))
    found.refuse_below(1.0)
    assert "affective ones found: 100.0% (20.7% to 100.0%)" in list(found.lines())
    assert "use: kappa 1.00" in list(found.lines())
