"""Tests the figures of a window: which there are, that they are coherent, and their methods."""

from __future__ import annotations

from collections.abc import Mapping
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.labels import NO_TYPE, TYPES, USES
from schemas.published import CORRECTED, COUNTED, MEAN_CHANGE, RAW, FigureRow
from tests.transforms.estimation.simulation import LEAST_COVERAGE, VARIANCE, noisy
from transforms.counting.cells import BREAKDOWN_IDS
from transforms.counting.places import Place
from transforms.estimation.figures import Figure, figures_of
from transforms.estimation.judged_figures import Noise
from transforms.estimation.rates import Rate, Rates
from transforms.facets.lengths import LENGTHS
from transforms.facets.registry import INDEX, SLICES, SUMMING_CHANGE, Slice
from transforms.publishing.publication import PublishedCells, PublishedSums

ALL = ("all", "all")
AFFECTIVE = ("use", "affective")
OVERALL = ("overall", "all")
NOISE = Noise(VARIANCE, 5)
ENDS = (*TYPES, NO_TYPE)
CONFUSION = tuple(
    tuple(930 if true == said else 10 for said in range(len(USES))) for true in range(len(USES))
)
RATES = Rates(
    "c-1",
    (
        Rate("all", "use", "affective", 160, 200, 20, 2000),
        Rate("all", "type", "coaching", 160, 200, 10, 2000),
        Rate("all", "type", "counseling", 160, 200, 200, 400),  # Too few negatives.
        Rate("all", "pushback", "all", 160, 200, 20, 2000),
    ),
    CONFUSION,
)

Counts = Mapping[tuple[str, str], int]


def cells_of(*counts: Counts, **more: Counts) -> PublishedCells:
    """Builds published cells: of the whole window, and of breakdown values `breakdown__value`."""
    places = {Place(0, "all"): mapping for mapping in counts}
    for name, mapping in more.items():
        breakdown, value = name.split("__")
        places[Place(BREAKDOWN_IDS[breakdown], value)] = mapping
    return {
        place: {INDEX[Slice(*slice_)]: PublishedSums(n, None, None) for slice_, n in cells.items()}
        for place, cells in places.items()
    }


def find(
    figures: list[Figure],
    part: tuple[str, str],
    whole: tuple[str, str] = ALL,
    place: tuple[str, str] = OVERALL,
) -> Figure:
    """Returns the figure of a part of a whole."""
    (found,) = (f for f in figures if f[:2] == place and f[3:7] == (*part, *whole))
    return found


def test_a_figure_has_the_fields_of_its_row() -> None:
    """The row of a figure is its publication, its window and its fields."""
    fields = FigureRow.__struct_fields__
    assert fields[fields.index("breakdown") :] == Figure._fields


def test_a_share_says_what_is_divided() -> None:
    """A share names part and whole, and has their published numbers."""
    (found,) = figures_of(cells_of({ALL: 1000, ("type", "coaching"): 50}), NOISE, None)
    assert found[:10] == (
        "overall", "all", "share", "type", "coaching", "all", "all", 50, 1000, 0.05,
    )  # fmt: skip
    assert found.corrected is None
    assert 0.03 < found.low < 0.05 < found.high < 0.08
    assert found.method == RAW


def test_nothing_published_gives_no_figures() -> None:
    """There are no figures without cells, without a whole, or of a whole of 0."""
    assert figures_of({}, NOISE, RATES) == []
    assert figures_of(cells_of({("type", "coaching"): 50}), NOISE, RATES) == []
    assert figures_of(cells_of({ALL: 0, ("type", "coaching"): 0}), NOISE, RATES) == []


def test_noise_beyond_the_whole_gives_a_share_of_one() -> None:
    """If noise makes a part larger than its whole, the share is 1."""
    counts = {("type", "coaching"): 20, ("long", "coaching"): 22}
    found = find(
        figures_of(cells_of(counts), NOISE, None), ("long", "coaching"), ("type", "coaching")
    )
    assert found.raw == found.high == 1
    assert found.low < 0.9


def test_published_uses_sum_to_one() -> None:
    """If all uses are published, they are divided by their sum, not by the number of all."""
    uses = {("use", use): 50 + 10 * i for i, use in enumerate(USES)}
    found = figures_of(cells_of({ALL: 999, **uses}), NOISE, None)
    assert sum(f.raw or 0 for f in found) == pytest.approx(1, abs=1e-12)
    assert {f.whole_conversations for f in found} == {sum(uses.values())}


def test_withheld_uses_are_missing_from_one() -> None:
    """If a use is withheld, the others are divided by all, and the rest of 1 is the withheld."""
    uses = {("use", use): 100 for use in USES[1:]}
    found = figures_of(cells_of({ALL: 800, **uses}), NOISE, None)
    assert sum(f.raw or 0 for f in found) == pytest.approx(700 / 800)


def test_noise_never_makes_parts_exceed_their_whole() -> None:
    """If the published parts add up to more than the whole, they are divided by their sum."""
    counts = {("opening", "coaching"): 50, ("drift", "coaching>coaching"): 30,
              ("drift", "coaching>none"): 25}  # fmt: skip
    found = figures_of(cells_of(counts), NOISE, None)
    assert [f.raw for f in found] == pytest.approx([30 / 55, 25 / 55])


COUNTS: st.SearchStrategy[dict[tuple[str, str], int]] = st.dictionaries(
    st.sampled_from(SLICES), st.integers(0, 10**5)
)


@given(COUNTS, st.sampled_from([0.0, 4.0]))
def test_figures_are_shares_within_their_intervals(
    counts: dict[tuple[str, str], int], variance: float
) -> None:
    """Whatever is published, no interval is a point, and no partition exceeds 1."""
    figures = figures_of(cells_of(counts), Noise(variance, 5), RATES)
    for found in figures:
        best = found.raw if found.corrected is None else found.corrected
        assert best is not None
        assert 0 <= found.low <= best <= found.high <= 1
        assert found.low < found.high
    for facet in ("use", "opening"):
        assert sum(f.raw or 0 for f in figures if f.facet == facet) < 1 + 1e-9


def test_lengths_of_all_come_from_the_breakdown() -> None:
    """The shares of lengths overall are made from the cells of the breakdown length."""
    bins = {f"length__{name}": {ALL: 100} for name in LENGTHS}
    found = figures_of(cells_of({ALL: 1000}, country__DE={ALL: 200, ("length", "2"): 20}, **bins),
                       NOISE, RATES)  # fmt: skip
    overall = [f for f in found if f.breakdown == "overall"]
    assert [f.facet_value for f in overall] == list(LENGTHS)
    assert {f.method for f in overall} == {COUNTED}
    assert find(found, ("length", "2"), place=("country", "DE")).raw == 0.1
    assert not [f for f in found if f.breakdown == "length"]


def test_long_conversations_are_counted_without_rates() -> None:
    """Long conversations among all involve no label; within a type they do."""
    counts = {ALL: 1000, ("long", "all"): 100, ("type", "coaching"): 90, ("long", "coaching"): 20}
    found = figures_of(cells_of(counts), NOISE, None)
    assert find(found, ("long", "all")).method == COUNTED
    assert find(found, ("long", "coaching"), ("type", "coaching")).method == RAW


def test_supported_rates_correct_a_share() -> None:
    """A corrected share stands beside the raw one, and the interval is that of the corrected."""
    counts = {ALL: 1000, ("type", "coaching"): 90, ("type", "counseling"): 90}
    found = figures_of(cells_of(counts), Noise(0.0, 0), RATES)
    coaching, counseling = (find(found, ("type", name)) for name in ("coaching", "counseling"))
    assert coaching.corrected == pytest.approx((0.09 - 0.005) / (0.8 - 0.005))
    assert coaching.method == CORRECTED
    assert coaching.low < (0.09 - 0.005) / (0.8 - 0.005) < coaching.high
    assert (counseling.corrected, counseling.method) == (None, RAW)


def test_part_and_whole_must_both_be_supported() -> None:
    """A type's share of the affective conversations needs the rates of both."""
    counts = {ALL: 1000, AFFECTIVE: 200, ("type", "coaching"): 90}
    only_type = Rates("c-1", RATES.rates[1:])
    for measured, method in ((RATES, CORRECTED), (only_type, RAW), (None, RAW)):
        found = figures_of(cells_of(counts), NOISE, measured)
        assert find(found, ("type", "coaching"), AFFECTIVE).method == method


def test_a_language_has_its_own_rates() -> None:
    """A language's supported rates correct its shares; others are corrected by those of all."""
    german = Rate("de", "type", "coaching", 100, 200, 10, 2000)
    measured = Rates("c-1", (german, *RATES.rates))
    counts = {ALL: 1000, ("type", "coaching"): 90}
    cells = cells_of(counts, language__de=counts, language__fr=counts, country__de=counts)
    found = figures_of(cells, NOISE, measured)
    corrected = {f[:2]: f.corrected for f in found}
    assert corrected["language", "de"] == pytest.approx((0.09 - 0.005) / (0.5 - 0.005))
    assert len(set(corrected.values())) == 2


def test_uses_are_corrected_together_over_the_whole_window() -> None:
    """Overall, corrected uses sum to 1; elsewhere only the affective share is corrected."""
    counts = {ALL: 1200, **{("use", use): 150 for use in USES}}
    found = figures_of(cells_of(counts, country__DE=counts), NOISE, RATES)
    overall = [f.corrected for f in found if f.breakdown == "overall"]
    assert sum(share or 0 for share in overall) == pytest.approx(1, abs=1e-9)
    assert None not in overall
    in_country = {f.facet_value for f in found if f.breakdown == "country" and f.corrected}
    assert in_country == {"affective"}


def test_uses_are_not_corrected_together_if_one_is_withheld() -> None:
    """A withheld use may be 0 or not, unless exact numbers add up to all."""
    counts = {ALL: 1050, **{("use", use): 150 for use in USES[:-1]}}
    withheld = figures_of(cells_of(counts), NOISE, RATES)
    assert [f.facet_value for f in withheld if f.corrected is not None] == ["affective"]
    exact = figures_of(cells_of(counts), Noise(0.0, 0), RATES)
    assert [f.facet_value for f in exact] == list(USES)
    assert sum(f.corrected or 0 for f in exact) == pytest.approx(1, abs=1e-9)


def test_together_companionship_and_roleplay_are_less_than_their_sum() -> None:
    """The share of all three types is corrected if each of them is; overlaps count once."""
    types = ("companionship", "romantic_roleplay", "roleplay")
    rates = tuple(Rate("all", "type", name, 160, 200, 2, 2000) for name in types)
    counts = {ALL: 10_000, **{("type", name): 100 for name in types}}
    cells = cells_of({**counts, ("companionship_and_roleplay", "any"): 240})
    figures = figures_of(cells, NOISE, Rates("c-1", rates))
    parts = [find(figures, ("type", name)) for name in types]
    united = find(figures, ("companionship_and_roleplay", "any"))
    assert united.raw == pytest.approx(0.024)
    assert united.corrected == pytest.approx(0.8 * sum(f.corrected or 0 for f in parts))
    assert united.low == max(f.low for f in parts)
    assert united.high == pytest.approx(sum(f.high for f in parts))
    fewer = figures_of(cells, NOISE, Rates("c-1", rates[1:]))
    assert find(fewer, ("companionship_and_roleplay", "any")).method == RAW


def test_the_headline_of_drift_needs_no_single_pair() -> None:
    """The turn to companionship is a share of what opened as coaching or counseling."""
    headline = {"coaching_or_counseling": 400, "companionship": 20}
    counts = {("drift_headline", name): n for name, n in headline.items()}
    (found,) = figures_of(cells_of(counts), NOISE, RATES)
    assert (found.raw, found.method) == (0.05, RAW)
    assert found.whole_value == "coaching_or_counseling"


def test_a_mean_has_no_whole() -> None:
    """A mean change is in points, and its number of conversations is that with a change."""
    cell = {INDEX[Slice("sentiment", "coaching")]: PublishedSums(200, 6000, 3_000_000)}
    (found,) = figures_of({Place(0, "all"): cell}, NOISE, RATES)
    assert found[2:10] == (MEAN_CHANGE, "sentiment", "coaching", None, None, 200, None, 0.1)
    assert -0.1 < found.low < 0.1 < found.high < 0.3
    assert (found.corrected, found.method) == (None, RAW)


def test_drift_rows_cover_the_truth() -> None:
    """93 % of the intervals of a drift row contain the share of its closing, if 3 are withheld."""
    random = np.random.default_rng(8)
    truth = np.array([0.5, 0.25, 0.1, 0.1, 0.03, 0.015, 0.005])
    closings = random.multinomial(600, truth, 1000)
    opened, parts = noisy(random, closings.sum(axis=1)), noisy(random, closings)
    cells = {
        Place(5, f"{draw:04}"): {
            INDEX[Slice("opening", "coaching")]: PublishedSums(int(opened[draw]), None, None),
            **{
                INDEX[Slice("drift", f"coaching>{end}")]: PublishedSums(int(n), None, None)
                for end, n in list(zip(ENDS, parts[draw], strict=True))[:4]
            },
        }
        for draw in range(1000)
    }
    found = figures_of(cells, NOISE, None)
    shares = dict(zip(ENDS, truth, strict=True))
    covers = [f.low <= shares[f.facet_value.split(">")[1]] <= f.high for f in found]
    by_closing = np.array(covers).reshape(1000, 4).mean(axis=0)
    assert by_closing.min() >= LEAST_COVERAGE


def large_window(random: np.random.Generator) -> PublishedCells:
    """Draws a window of 30,000 cells."""
    sums = random.integers(15, 5000, (200, len(SLICES))).tolist()
    return {
        Place(2, f"{row:03}"): {
            i: PublishedSums(n, n, 300 * n) if i in SUMMING_CHANGE else PublishedSums(n, None, None)
            for i, n in enumerate(counts)
        }
        for row, counts in enumerate(sums)
    }


def test_the_order_of_the_cells_does_not_matter() -> None:
    """The same cells in another order give the same figures in the same order."""
    cells = large_window(np.random.default_rng(1))
    turned = {place: dict(reversed(cells[place].items())) for place in reversed(cells)}
    assert figures_of(cells, NOISE, RATES) == figures_of(turned, NOISE, RATES)


def test_a_large_window_takes_seconds_at_most() -> None:
    """25,000 figures take less than 3 CPU seconds, of the 10 that a publication may take."""
    cells = large_window(np.random.default_rng(1))
    begun = process_time()
    figures = figures_of(cells, NOISE, RATES)
    assert len(figures) > 25_000
    assert process_time() - begun < 3
