"""Tests the figures of a window with a judged sample."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from pipelines.publishing.windows import figure_rows, with_judge
from schemas.labels import USES
from schemas.published import CORRECTED, COUNTED, JUDGED, RAW, FigureRow
from tests.judged import MONDAY, Labelled, counts, judged, judgements, labelled, sampled
from transforms.estimation.judged_figures import NO_SAMPLE, JudgedSample, sample_for
from transforms.estimation.shares import SHARES
from transforms.facets.registry import Slice, slices_of_facet
from transforms.judging.conversations import JudgedConversation, join
from transforms.publishing.policy import OWN_DATA, Policy
from transforms.publishing.publication import Provenance, publish

PROVENANCE = Provenance("k", "2", "c")


def figures(
    made: Sequence[Labelled], sample: JudgedSample, policy: Policy = OWN_DATA
) -> dict[tuple[str, ...], FigureRow]:
    """Publishes Monday; returns its figures by breakdown, value, part and whole."""
    provenance = with_judge(PROVENANCE, sample.inside, policy)
    published = publish(MONDAY, counts(made, MONDAY), None, policy, provenance)
    assert published is not None
    return {
        (f.breakdown, f.breakdown_value, f.measure, f.facet, f.facet_value, f.whole_facet or "",
         f.whole_value or ""): f
        for f in figure_rows(published, 1, sample)
    }  # fmt: skip


def monday(judged_: Sequence[JudgedConversation]) -> JudgedSample:
    """Returns the judged sample of Monday."""
    return sample_for(MONDAY, judged_)


AFFECTIVE = ("overall", "all", "share", "use", "affective", "all", "all")


def test_if_all_are_judged_the_figures_are_the_truth() -> None:
    """With every conversation judged and no noise, shares and means are exactly the judge's."""
    made = labelled(np.random.default_rng(1), 400, share=0.3)
    found = figures(made, monday(judged(made, 1000)))
    true = [each.truth for each in made]
    affective = [t for t in true if t.use == 0]
    assert found[AFFECTIVE].method == JUDGED
    assert found[AFFECTIVE].corrected == pytest.approx(len(affective) / len(made))
    coaching = found["overall", "all", "share", "type", "coaching", "use", "affective"]
    assert coaching.corrected == pytest.approx(sum(t.types >> 1 & 1 for t in true) / len(affective))
    ios = [t for t in true if t.breakdowns[0] == "ios"]
    assert found["platform", "ios", *AFFECTIVE[2:]].corrected == pytest.approx(
        sum(t.use == 0 for t in ios) / len(ios)
    )
    changes = [t.sentiment_change_300ths for t in true if t.sentiment_change_300ths is not None]
    mean = found["overall", "all", "mean_change", "sentiment", "all", "", ""]
    assert mean.corrected == pytest.approx(sum(changes) / len(changes) / 300)
    assert mean.method == JUDGED


def test_counted_shares_need_no_judge() -> None:
    """Shares in which no label is involved stay counted, and the raw share stays beside."""
    made = labelled(np.random.default_rng(2), 400, share=0.3)
    with_sample, without = (figures(made, s) for s in (monday(judged(made, 100)), NO_SAMPLE))
    assert {f.method for f in without.values()} <= {COUNTED, RAW, CORRECTED}
    assert with_sample.keys() == without.keys()
    for key, figure in with_sample.items():
        assert figure.raw == without[key].raw
        if without[key].method == COUNTED:
            assert figure == without[key]


def test_judged_uses_add_up_to_one() -> None:
    """The judged shares of the uses are coherent, with and without noise."""
    made = labelled(np.random.default_rng(3), 1500, share=0.2)
    for policy in (OWN_DATA, Policy(min_users=5, min_conversations=5)):
        found = figures(made, monday(judged(made, 300)), policy)
        uses = [f for key, f in found.items() if key[:4] == (*AFFECTIVE[:3], "use") and
                key[5:] == ("all", "all")]  # fmt: skip
        assert len(uses) == len(slices_of_facet("use"))
        assert sum(f.corrected or 0 for f in uses) == pytest.approx(1)
        assert all(f.low <= (f.corrected or 0) <= f.high for f in uses)


def test_few_judgements_change_nothing() -> None:
    """With fewer than 15 judged conversations a figure stays as it is."""
    made = labelled(np.random.default_rng(4), 300, share=0.3)
    assert figures(made, monday(judged(made, 14))) == figures(made, NO_SAMPLE)


def test_the_days_before_serve_a_day() -> None:
    """With the judgements of the days before it, a day's interval is narrower."""
    random = np.random.default_rng(5)
    days = [labelled(random, 2000, day=day) for day in range(-6, 1)]
    sample = judged([each for day in days for each in day], 150)
    alone = [each for each in sample if each.started_at_us >= MONDAY.start_us]
    both = sample_for(MONDAY, sample)
    assert (len(both.inside), len(both.earlier)) == (150, 900)
    widths = [
        found.high - found.low
        for found in (figures(days[-1], s)[AFFECTIVE] for s in (both, monday(alone)))
    ]
    assert widths[0] < 0.8 * widths[1]


def test_a_day_with_few_judgements_has_figures_by_its_week() -> None:
    """With only seven judgements of its own, a day's figure rests on the days before it."""
    random = np.random.default_rng(8)
    days = [labelled(random, 1000, share=0.2, day=day) for day in range(-6, 1)]
    sample = judged([each for day in days for each in day], 100)
    few = [*(each for each in sample if each.started_at_us < MONDAY.start_us), *sample[-7:]]
    found = figures(days[-1], sample_for(MONDAY, few))[AFFECTIVE]
    truth = sum(each.truth.use == 0 for each in days[-1]) / len(days[-1])
    assert found.method == JUDGED
    assert found.low <= truth <= found.high
    assert found.high - found.low < 0.25


def test_intervals_contain_the_truth() -> None:
    """Of 60 samples, with noise and a classifier that misses two fifths, nearly all cover."""
    random = np.random.default_rng(6)
    covered = 0
    for _ in range(60):
        made = labelled(random, 1500)
        found = figures(made, monday(judged(made, 150)), Policy())[AFFECTIVE]
        truth = sum(each.truth.use == 0 for each in made) / len(made)
        covered += found.low <= truth <= found.high
    assert covered >= 52


def test_a_judge_who_errs_has_wider_intervals_that_contain_the_truth() -> None:
    """If people judge some conversations too, the judge's errors are in the interval."""
    random = np.random.default_rng(9)
    covered, covered_without = 0, 0
    for _ in range(20):
        made = labelled(random, 1500, share=0.15)
        sample = [_misjudged(each, random) for each in judged(made, 600)]
        checked = [
            each._replace(checked=true.truth) if n % 2 else each
            for n, (each, true) in enumerate(zip(sample, judged(made, 600), strict=True))
        ]
        truth = sum(each.truth.use == 0 for each in made) / len(made)
        found, without = (figures(made, monday(s))[AFFECTIVE] for s in (checked, sample))
        covered += found.low <= truth <= found.high
        covered_without += without.low <= truth <= without.high
        assert found.high - found.low > without.high - without.low
    assert covered >= 18
    assert covered_without <= 10


def _misjudged(each: JudgedConversation, random: np.random.Generator) -> JudgedConversation:
    """Returns what a judge says who misses a third of what is affective."""
    traits = each.truth.traits
    if traits.use or random.random() > 1 / 3:
        return each
    other = traits._replace(use=USES.index("work"), types=0, opening_type=-1, closing_type=-1)
    return each._replace(truth=each.truth._replace(traits=other))


def test_one_more_judgement_changes_all_noise() -> None:
    """A judged number has noise that depends on whom it is made from, so one label is hidden."""
    made = labelled(np.random.default_rng(7), 400, share=0.3)
    sample = judged(made, 1000)
    other = next(each for each in sample if each.truth.traits.use == 0)
    one_less = [each for each in sample if each is not other]
    policy = Policy(min_users=1, min_conversations=2)
    found, less = (figures(made, monday(s), policy)[AFFECTIVE] for s in (sample, one_less))
    truth = sum(each.truth.use == 0 for each in made)
    assert found.corrected is not None
    assert less.corrected is not None
    moved = (found.corrected - less.corrected) * len(made)
    assert moved != pytest.approx(1, abs=0.2)
    assert found.corrected * len(made) != pytest.approx(truth, abs=1e-6)


def small_day(seed: int, of: int = 90) -> dict[tuple[str, ...], FigureRow]:
    """Publishes a small day of which every conversation is judged."""
    made = labelled(np.random.default_rng(seed), of, share=0.4)
    return figures(made, monday(judged(made, 1000)), Policy())


def test_a_judged_share_tells_no_exact_whole() -> None:
    """Of a small day, shares are whole numbers of conversations out of the published whole."""
    for seed in range(3):
        for figure in small_day(seed).values():
            part = Slice(figure.facet, figure.facet_value)
            is_partition = any(s.part == part and s.is_partition for s in SHARES)
            if figure.method == JUDGED and figure.whole_facet == "all" and not is_partition:
                for share in (figure.corrected, figure.low, figure.high):
                    conversations = (share or 0) * (figure.whole_conversations or 0)
                    assert conversations == pytest.approx(round(conversations), abs=1e-9)


def test_another_judge_changes_all_noise() -> None:
    """Two judges that say the same give other numbers, so no number tells where they differ."""
    made = labelled(np.random.default_rng(8), 400, share=0.3)
    sample = sampled(made, 1000)
    said = judgements(made, sample)
    other = [msgspec.structs.replace(row, judge_version="2") for row in said]
    one, two = (figures(made, monday(join(sample, rows)), Policy()) for rows in (said, other))
    shares = [key for key, figure in one.items() if figure.method == JUDGED and figure.corrected]
    same = sum(one[key].corrected == two[key].corrected for key in shares)
    assert same < 0.5 * len(shares)
