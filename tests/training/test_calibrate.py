"""Tests the calibration on simulated scores, whose true probabilities are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.labels import AFFECTIVE_TYPES, LANGUAGES, TYPES
from tests.training.builders import conversation, real
from tests.transforms.classifiers.builders import ROWS, weighed_head
from training.calibrate import (
    ALERTED,
    COUNTED,
    Scored,
    Seen,
    align,
    begin,
    calibrate,
    join,
    look,
    lower,
    mood_line,
    pushback_shift,
)
from training.layers import Weights
from training.sources import REPLIES_READ, Reply
from transforms.classifiers.head import FIGURES, PRIOR, ConversationHead
from transforms.classifiers.interface import (
    FIRST_TYPE,
    HUMAN_WIDTH,
    LOGIT_UNIT,
    SECOND_GATE,
    probability,
)

REAL, AFFECTIVE, TASKS = 6000, 1500, 600
MEAN = 1.0
"""The sums of both gates are drawn around +1 and -1 with deviation 1.

So before the prior, sums of x and y mean a true logit of 2 x + 2 y.
"""

GATES = [0, -1]
MEANS = np.zeros((ROWS, FIGURES))
MEANS[:, 2] = 1.0
HEAD = weighed_head(MEANS, np.zeros(1 + len(TYPES)))
"""A head whose sums are the means over all messages."""

COUNSELED = conversation(["counseling"], 4, opening="counseling", closing="counseling")
COACHED = conversation(["coaching"], 4, opening="none", closing="coaching")
AFFECTIVE_ROWS = slice(REAL, REAL + AFFECTIVE)


def draw(seed: int = 7, written: float = 0.0, **offsets: float) -> Seen:
    """Draws real conversations, and written ones that are affective or not.

    A fraction `PRIOR` of the real conversations is affective. The written negatives are in English
    and in the languages of `offsets`, which shift the scores of these languages. A third of the
    written negatives are roleplay. `written` shifts the scores of all written conversations.
    """
    random = np.random.default_rng(seed)
    affective = random.random(REAL) < PRIOR
    said = [real(types=["counseling"] if yes else []) for yes in affective.tolist()]
    said += [COUNSELED, COACHED, COACHED] * (AFFECTIVE // 3)
    centres = [np.where(affective, MEAN, -MEAN), np.full(AFFECTIVE, MEAN + written)]
    for language, offset in {"en": 0.0, **offsets}.items():
        kinds: list[list[str]] = [["roleplay"], [], []]
        said += [conversation(kind, 4, language=language) for kind in kinds] * (TASKS // 3)
        centres.append(np.full(TASKS, offset - MEAN + written))
    whole = random.normal(size=(len(said), ROWS))
    whole[:, GATES] += np.concatenate(centres)[:, None]
    return Seen(said, whole, random.normal(MEAN, 1, (len(said), 2, 2)))


def truth(seen: Seen) -> NDArray[np.float64]:
    """Returns the gate's true logits if a fraction `PRIOR` of all conversations is affective."""
    both = seen.whole[:, GATES].sum(axis=1)
    true: NDArray[np.float64] = 2 * MEAN * both + np.log(PRIOR / (1 - PRIOR))
    return true


def slopes(head: ConversationHead) -> NDArray[np.float64]:
    """Returns the weights of the two gates' means."""
    found: NDArray[np.float64] = head.weights[GATES, 2]
    return found


def calibrated(head: ConversationHead, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the gate logits of English conversations from the sums of both gates."""
    gate: NDArray[np.float64] = sums[..., GATES] @ slopes(head) + head.weights[0, -1]
    return gate


@pytest.fixture(scope="module")
def drawn() -> Seen:
    """Draws conversations once, all in English."""
    return draw()


@pytest.fixture(scope="module")
def head(drawn: Seen) -> ConversationHead:
    """Calibrates a head on the drawn conversations."""
    return calibrate(HEAD, drawn)


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_probabilities_are_right(seed: int) -> None:
    """Near a probability of one half, the calibrated probability is close to the true one."""
    drawn = draw(seed)
    after, true = calibrated(calibrate(HEAD, drawn), drawn.whole), truth(drawn)
    likely = np.flatnonzero(np.abs(true) < 2)
    assert len(likely) > 50
    apart = [abs(probability(after[row]) - probability(true[row])) for row in likely.tolist()]
    assert max(apart) < 0.15


def test_the_mean_probability_is_the_prior_whatever_was_drawn(drawn: Seen) -> None:
    """Positives are weighted to the prior, so it does not matter that half of them are missing."""
    fewer = drawn.take(np.flatnonzero(~affective_of(drawn) | (np.arange(len(drawn.whole)) % 2 > 0)))
    head = calibrate(HEAD, fewer)
    is_real = np.array([row.is_real for row in fewer.conversations])
    said = 1 / (1 + np.exp(-calibrated(head, fewer.whole)))
    positive, negative = is_real & affective_of(fewer), is_real & ~affective_of(fewer)
    mean = PRIOR * said[positive].mean() + (1 - PRIOR) * said[negative].mean()
    assert mean == pytest.approx(PRIOR, abs=1e-6)


def affective_of(seen: Seen) -> NDArray[np.bool_]:
    """Marks the conversations whose labels are affective."""
    return np.array([bool(row.labels and row.labels.affective) for row in seen.conversations])


def test_calibration_moves_only_the_gates(head: ConversationHead) -> None:
    """Both gates are stretched without changing their sign; the types keep their weights."""
    assert slopes(head) == pytest.approx([2 * MEAN, 2 * MEAN], rel=0.15)
    assert (head.weights[1:-1] == HEAD.weights[1:-1]).all()
    assert head.weights[-1, -1] == 0


def test_a_set_with_higher_scores_does_not_change_the_slopes(head: ConversationHead) -> None:
    """Each set has an offset of its own, so it does not matter that all written scores are high."""
    assert slopes(calibrate(HEAD, draw(written=3.0))) == pytest.approx(slopes(head), rel=0.02)


def test_a_gate_that_misleads_has_no_weight(drawn: Seen) -> None:
    """If the second gate is lower for affective conversations, it does not count at all."""
    turned = drawn.whole * np.where(np.arange(ROWS) == SECOND_GATE, -1, 1)
    found = slopes(calibrate(HEAD, Seen(drawn.conversations, turned, drawn.edges)))
    assert found[0] > 2
    assert found[1] == 0


def test_thresholds_let_a_known_share_of_real_conversations_through(
    head: ConversationHead, drawn: Seen
) -> None:
    """The threshold for counting and the stricter one for alerts each let their share through."""
    found = calibrated(head, drawn.whole[:REAL])
    assert (found >= head.thresholds[0]).mean() == pytest.approx(COUNTED, abs=2 / REAL)
    assert (found >= head.alert_threshold).mean() == pytest.approx(ALERTED, abs=2 / REAL)


def test_affective_types_are_as_common_as_in_the_labels(
    head: ConversationHead, drawn: Seen
) -> None:
    """Real and written affective conversations together have as many of each type as labels."""
    rows = affective_of(drawn)
    found = drawn.whole[rows, 1:-1] >= head.thresholds[1:]
    shares = dict(zip(TYPES, found.mean(axis=0).tolist(), strict=True))
    coaching = 2 / 3 * AFFECTIVE / rows.sum()
    wanted = {"counseling": 1 - coaching, "coaching": coaching}
    for name in AFFECTIVE_TYPES:
        assert shares[name] == pytest.approx(wanted.get(name, 0), abs=0.002), name


def test_roleplay_is_as_common_as_in_the_labels(head: ConversationHead, drawn: Seen) -> None:
    """The share of roleplay is taken among all written conversations, whether affective or not."""
    share = (drawn.whole[REAL:, len(TYPES)] >= head.thresholds[-1]).mean()
    assert share == pytest.approx(TASKS / 3 / (AFFECTIVE + TASKS), abs=0.002)


def test_edges_have_a_type_as_often_as_in_the_labels(head: ConversationHead, drawn: Seen) -> None:
    """A third of the openings and all closings have a type, so two thirds of all edges have one."""
    edges = calibrated(head, drawn.edges[AFFECTIVE_ROWS])
    assert (edges >= head.edge_threshold).mean() == pytest.approx(2 / 3, abs=0.002)


def test_unlabelled_conversations_do_not_change_the_calibration(
    head: ConversationHead, drawn: Seen
) -> None:
    """Extreme scores of tool use and of an unread real set change no part of the head."""
    said = [conversation(None, source="gsm8k"), real(dataset="wildchat_first")]
    others = Seen(said, np.full((2, ROWS), 50.0), np.full((2, 2, 2), -50.0))
    found = calibrate(HEAD, join([others, drawn]))
    for part in ConversationHead.__dataclass_fields__:
        assert getattr(found, part) == pytest.approx(getattr(head, part)), part


def test_the_language_shift_recovers_a_known_offset() -> None:
    """Chinese scores are raised and Arabic scores are lowered, and the shift undoes both."""
    head = calibrate(HEAD, draw(zh=0.25, ar=-0.4))
    shift = dict(zip(LANGUAGES, (head.language_shift / slopes(head).sum()).tolist(), strict=True))
    assert (shift["zh"], shift["ar"]) == pytest.approx((-0.25, 0.4), abs=0.1)
    assert {shift[code] for code in LANGUAGES if code not in ("zh", "ar")} == {0.0}


def test_the_language_shift_comes_before_the_thresholds() -> None:
    """If all real and affective conversations are Arabic, thresholds move with Arabic's shift."""
    drawn = draw(ar=-0.5)
    arabic = [replace(row, language="ar") for row in drawn.conversations[: REAL + AFFECTIVE]]
    said = arabic + drawn.conversations[REAL + AFFECTIVE :]
    head = calibrate(HEAD, Seen(said, drawn.whole, drawn.edges))
    shift = head.language_shift[LANGUAGES.index("ar")]
    found = calibrated(head, drawn.whole[:REAL]) + shift
    edges = calibrated(head, drawn.edges[AFFECTIVE_ROWS]) + shift
    assert shift > 1
    assert (found >= head.thresholds[0]).mean() == pytest.approx(COUNTED, abs=2 / REAL)
    assert (edges >= head.edge_threshold).mean() == pytest.approx(2 / 3, abs=0.002)


def test_the_language_shift_is_bounded() -> None:
    """A language with absurd scores is shifted by at most two logits."""
    head = calibrate(HEAD, draw(zh=9.0, ar=-9.0))
    assert head.language_shift[[LANGUAGES.index("zh"), LANGUAGES.index("ar")]].tolist() == [-2, 2]


def fitted() -> Weights:
    """Draws random figures that stand for the head of a fitted network."""
    return {"figures": np.abs(np.random.default_rng(4).normal(size=(ROWS, FIGURES)))}


def scored(*sizes: int) -> Scored:
    """Draws scores of real conversations with `sizes` human messages."""
    rows = np.random.default_rng(5).integers(-90, 91, (sum(sizes), HUMAN_WIDTH)).astype(np.int8)
    return Scored([real(size) for size in sizes], rows, np.cumsum([0, *sizes]))


def test_edges_are_the_gates_of_the_first_and_last_three_messages() -> None:
    """The gate rises from 0 to 4, the second gate falls; one message is opening and closing."""
    rows = np.zeros((6, HUMAN_WIDTH), np.int8)
    rows[:, 0] = 8 * np.arange(6)
    rows[:, FIRST_TYPE] = rows[:, SECOND_GATE] = -rows[:, 0]
    seen = look(HEAD, Scored([real(5), real()], rows, np.array([0, 5, 6])))
    assert seen.whole[:, [0, 1, -1]].tolist() == [[2.0, -2.0, -2.0], [5.0, -5.0, -5.0]]
    assert seen.edges.tolist() == [[[1.0, -1.0], [3.0, -3.0]], [[5.0, -5.0], [5.0, -5.0]]]


def test_joined_logits_can_be_taken_in_any_order() -> None:
    """Conversations judged by several heads keep their own logits in the requested order."""
    one, two = (look(begin(fitted()), scored(*sizes)) for sizes in ((1, 2), (4, 5)))
    taken = join([one, two]).take(np.array([3, 0]))
    assert taken.conversations == [two.conversations[1], one.conversations[0]]
    assert taken.whole.tolist() == [two.whole[1].tolist(), one.whole[0].tolist()]
    assert taken.edges.tolist() == [two.edges[1].tolist(), one.edges[0].tolist()]


def test_only_the_natural_set_sets_the_level(drawn: Seen) -> None:
    """Written and other real conversations do not affect the level; lower sums lower it."""
    by = np.arange(float(ROWS))
    level = drawn.take(np.arange(REAL)).level()
    other = Seen([real(dataset="hh_harmless")], np.full((1, ROWS), 99.0), np.zeros((1, 2, 2)))
    assert join([drawn, other]).level().tolist() == level.tolist()
    assert drawn.lowered(by).level() == pytest.approx(level - by)


def test_lowering_a_head_lowers_its_logits() -> None:
    """All sums fall (gates, types and both edges) in short and long conversations."""
    weights, said, by = fitted(), scored(1, 2, 4, 9), np.linspace(-2, 3, ROWS)
    found = look(begin(lower(weights, by)), said)
    wanted = look(begin(weights), said).lowered(by)
    assert found.whole == pytest.approx(wanted.whole)
    assert found.edges == pytest.approx(wanted.edges)


def test_aligning_brings_the_upper_levels_to_zero() -> None:
    """After aligning, the classifier's head gives the texts upper levels of zero."""
    weights, said = fitted(), scored(*[1] * 300)
    aligned = align(weights, said.scores.astype(np.float32) * np.float32(LOGIT_UNIT))
    assert look(begin(weights), said).level().min() > 1
    assert look(begin(aligned), said).level() == pytest.approx(np.zeros(ROWS), abs=1e-5)


def test_the_mood_line_is_right_on_average() -> None:
    """The line is recovered from noisy moods, and the mean of its predictions has no error."""
    random = np.random.default_rng(3)
    logits = random.normal(1, 2, 400)
    wanted = 0.3 * logits - 0.2 + random.normal(0, 0.1, 400)
    slope, offset = mood_line(logits, wanted)
    assert (slope, offset) == pytest.approx((0.3, -0.2), abs=0.02)
    assert (slope * logits + offset - wanted).mean() == pytest.approx(0, abs=1e-9)


def replies(language: str, pushback: int, count: int, source: str = "written") -> list[Reply]:
    """Builds replies, the last `pushback` of which push back; written ones have a conversation."""
    conversation = "c" if source == "written" else ""
    return [
        Reply("", source, "", language, 1.0, n >= count - pushback, "", conversation)
        for n in range(count)
    ]


def shifts(said: list[Reply], logits: NDArray[np.float64]) -> dict[str, float]:
    """Returns the shift of each language."""
    return dict(zip(LANGUAGES, pushback_shift(said, logits).tolist(), strict=True))


READ = replies("en", 20, 45, REPLIES_READ)
EN = replies("en", 20, 45)


def test_real_replies_set_the_pushback_cut_of_english() -> None:
    """The cut with the best F1 on real replies becomes 0, wherever the written ones lie."""
    logits = np.concatenate([np.arange(45.0), np.arange(45.0) - 99])
    assert shifts([*READ, *EN], logits)["en"] == -25.0


def test_languages_differ_in_pushback_as_written_conversations_do() -> None:
    """Written Chinese lies 30 below written English; French has too few replies of its own."""
    said = [*READ, *EN, *replies("zh", 25, 45), *replies("fr", 3, 5)]
    ranks = [np.arange(45.0), np.arange(45.0), np.arange(45.0) - 30, np.arange(5.0) + 23]
    found = shifts(said, np.concatenate(ranks))
    assert found["zh"] == found["en"] + 35.0
    assert found["fr"] == found["de"] == found["en"]


def test_single_replies_do_not_set_the_pushback_shift_of_a_language() -> None:
    """Replies outside of conversations were chosen as hard cases."""
    alone = [replace(reply, conversation="") for reply in replies("zh", 25, 45)]
    found = shifts([*READ, *EN, *alone], np.concatenate([np.arange(45.0)] * 3))
    assert found["zh"] == found["en"]


def test_the_pushback_cut_assumes_that_few_replies_push_back() -> None:
    """Below ten pushbacks come five other replies and ten pushbacks, which are then not worth it.

    They would be worth it if as many replies pushed back as in these.
    """
    order = np.r_[25:35, 20:25, 35:45, 0:20]
    ranks = np.empty(45)
    ranks[order] = np.arange(45.0)[::-1]
    assert shifts([*READ, *EN], np.concatenate([ranks, ranks]))["en"] == -35.0
