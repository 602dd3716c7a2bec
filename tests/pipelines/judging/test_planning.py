"""Tests the plan: what a number of judgements buys, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.commands.main import main
from pipelines.judging.planning import Expected, Prices, expected_of, half_width, plan_lines
from pipelines.report.figures import Figures
from pipelines.report.reader import read_figures
from schemas.failures import InputError
from tests.judged import labelled
from tests.judged_runs import judged_run
from transforms.publishing.policy import Policy

KNOWN = Expected(20_000, 0.03, 0.51, 0.017, 0.957)


def test_a_plan_says_what_judgements_buy() -> None:
    """Each line has a number of judgements, the width for a day and for a week, and the cost."""
    lines = plan_lines(KNOWN, 500, Prices(judgement=0.002))
    assert "20,000 conversations a day, of which 3.00% are affective" in lines[0]
    row = next(line for line in lines if line.startswith("500 "))
    assert row.split() == ["500", "3.0%", "±", "0.81", "3.0%", "±", "0.30", "1.00", "7.00"]
    widths = [float(line.split()[3]) for line in lines[5:12]]
    assert widths == sorted(widths, reverse=True)


def test_the_budget_is_among_the_numbers() -> None:
    """A budget has a line of its own, and numbers beyond all conversations have none."""
    lines = plan_lines(replace(KNOWN, conversations=900), 123, Prices())
    numbers = [line.split()[0] for line in lines[5:] if line[:1].isdigit()]
    assert numbers == ["50", "100", "123", "200", "500"]
    assert "cost" not in lines[4]


def test_tokens_are_priced() -> None:
    """A judgement costs the tokens of instructions, messages and answer."""
    nothing, long = (Prices(read=1.0, tokens_a_message=100).of(n) for n in (0, 40))
    assert long - nothing == pytest.approx(40 * 100 / 1e6)
    assert nothing > 0
    assert Prices(judgement=0.5, read=1.0).of(40) == 0.5
    assert Prices().of(40) == 0


@pytest.mark.parametrize("name", ["conversations", "share", "recall", "false_alarms"])
def test_what_is_not_known_is_asked_for(name: str) -> None:
    """The error names the flag that is missing."""
    with pytest.raises(InputError, match=f"--{name}"):
        plan_lines(replace(KNOWN, **{name: None}), 500, Prices())  # type: ignore[arg-type]


def test_impossible_numbers_are_refused() -> None:
    """Shares are between 0 and 1, and there is at least one judgement."""
    with pytest.raises(InputError, match="share must be above 0"):
        plan_lines(replace(KNOWN, share=3.0), 500, Prices())
    with pytest.raises(InputError, match="judgements must be at least 1"):
        plan_lines(KNOWN, 0, Prices())


def test_a_plan_from_a_judged_run_is_met(tmp_path: Path) -> None:
    """All that a plan needs comes from the run, and other runs have the planned widths."""
    random = np.random.default_rng(2)
    planned, measured = [], []
    for draw in range(6):
        made = labelled(random, 3_000, share=0.06)
        folder = judged_run(tmp_path / str(draw), made, 300, Policy(), cost=0.01)
        expected, figures = expected_of(folder), read_figures(folder)
        assert expected.is_sampled
        assert expected.conversations == pytest.approx(3_000, abs=5)
        assert expected.days == 1
        assert expected.cost == pytest.approx(0.01)
        planned.append((half_width(expected, 300, 1), half_width(expected, 150, 1)))
        measured.append(_width(figures))
    folder = judged_run(tmp_path / "fewer", labelled(random, 3_000, share=0.06), 150, Policy())
    assert np.mean([p[0] for p in planned]) == pytest.approx(np.mean(measured), rel=0.2)
    fewer = _width(read_figures(folder))
    assert np.mean([p[1] for p in planned]) == pytest.approx(fewer, rel=0.2)


def _width(figures: Figures) -> float:
    share = figures.affective
    assert share.low is not None
    assert share.high is not None
    return (share.high - share.low) / 2


def test_an_unjudged_run_needs_rates(tmp_path: Path) -> None:
    """Without a judged sample and without measured rates, the rates must be given."""
    made = labelled(np.random.default_rng(3), 1_000, share=0.06)
    expected = expected_of(judged_run(tmp_path, made, 0, Policy()))
    assert expected.auc is None
    with pytest.raises(InputError, match="--recall"):
        plan_lines(expected, 500, Prices())
    lines = plan_lines(replace(expected, recall=0.6, false_alarms=0.02), 500, Prices())
    assert lines[2] == "(AUC 0.950, assumed)"


def test_the_command_plans_without_archive_and_judge(capsys: pytest.CaptureFixture[str]) -> None:
    """With --plan the command needs neither folder nor judge; without it, it asks for them."""
    flags = "--conversations 20000 --share 0.03 --recall 0.5 --false_alarms 0.02 --judgements 70"
    assert main(["judge", "--plan", *flags.split()]) == 0
    assert "\n70 " in capsys.readouterr().out
    assert main(["judge"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "needs FOLDER, --input, --judge" in said
