"""Tests the calibration on simulated scores, whose true probabilities are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.labels import AFFECTIVE_TYPES, LANGUAGES, TYPES
from tests.training.builders import conversation, real
from tests.transforms.classifiers.builders import whole_mean_head
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
    pushback_shift,
    sentiment_cuts,
)
from training.layers import Weights
from training.sources import Reply
from transforms.classifiers.head import PRIOR, ConversationHead
from transforms.classifiers.interface import FIRST_TYPE, HUMAN_WIDTH, LOGIT_UNIT, probability

REAL, AFFECTIVE, TASKS = 6000, 1500, 600
MEAN = 1.5
"""Gate logits are drawn around +1.5 and -1.5 with deviation 1.

So before the prior, a gate logit of x means a true logit of 3 x.
"""

HEAD = whole_mean_head()
COUNSELED = conversation(["counseling"], 4, opening="counseling", closing="counseling")
COACHED = conversation(["coaching"], 4, opening="none", closing="coaching")


def draw(seed: int = 7, **offsets: float) -> Seen:
    """Draws real conversations, and written ones that are affective or not.

    A fraction `PRIOR` of the real conversations is affective. The written negatives are in English
    and in the languages of `offsets`, which shift the scores of these languages. A third of the
    written negatives are roleplay.
    """
    random = np.random.default_rng(seed)
    hidden = random.random(REAL) < PRIOR
    said = [*(real() for _ in range(REAL)), *[COUNSELED, COACHED, COACHED] * (AFFECTIVE // 3)]
    centres = [np.where(hidden, MEAN, -MEAN), np.full(AFFECTIVE, MEAN)]
    for language, offset in {"en": 0.0, **offsets}.items():
        kinds: list[list[str]] = [["roleplay"], [], []]
        said += [conversation(kind, 4, language=language) for kind in kinds] * (TASKS // 3)
        centres.append(np.full(TASKS, offset - MEAN))
    whole = random.normal(size=(len(said), 1 + len(TYPES)))
    whole[:, 0] += np.concatenate(centres)
    return Seen(said, whole, random.normal(MEAN, 1, (len(said), 2)))


def truth(seen: Seen) -> NDArray[np.float64]:
    """Returns the gate's true logits if a fraction `PRIOR` of all conversations is affective."""
    true: NDArray[np.float64] = 2 * MEAN * seen.whole[:, 0] + np.log(PRIOR / (1 - PRIOR))
    return true


def calibrated(head: ConversationHead, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the gate logits that a calibrated head gives English conversations."""
    gate: NDArray[np.float64] = head.weights[0, 2] * logits + head.weights[0, -1]
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
def test_probabilities_are_right_although_some_real_conversations_are_affective(seed: int) -> None:
    """Near a probability of one half, the calibrated probability is close to the true one."""
    drawn = draw(seed)
    after, true = calibrated(calibrate(HEAD, drawn), drawn.whole[:, 0]), truth(drawn)
    likely = np.flatnonzero(np.abs(true) < 2)
    assert len(likely) > 50
    apart = [abs(probability(after[row]) - probability(true[row])) for row in likely.tolist()]
    assert max(apart) < 0.1


def test_calibration_moves_only_the_gate(head: ConversationHead) -> None:
    """Calibration stretches the gate without changing its sign, and keeps the types' weights."""
    assert head.weights[0, 2] > 0
    assert (head.weights[1:] == HEAD.weights[1:]).all()


def test_thresholds_let_a_known_share_of_real_conversations_through(
    head: ConversationHead, drawn: Seen
) -> None:
    """The threshold for counting and the stricter one for alerts each let their share through."""
    found = calibrated(head, drawn.whole[:REAL, 0])
    assert (found >= head.thresholds[0]).mean() == pytest.approx(COUNTED, abs=2 / REAL)
    assert (found >= head.alert_threshold).mean() == pytest.approx(ALERTED, abs=2 / REAL)


def test_affective_types_are_as_common_as_in_the_labels(
    head: ConversationHead, drawn: Seen
) -> None:
    """A third are counseling and two thirds are coaching, however the logits are scaled."""
    found = drawn.whole[REAL : REAL + AFFECTIVE, 1:] >= head.thresholds[1:]
    shares = dict(zip(TYPES, found.mean(axis=0).tolist(), strict=True))
    wanted = {"counseling": 1 / 3, "coaching": 2 / 3}
    for name in AFFECTIVE_TYPES:
        assert shares[name] == pytest.approx(wanted.get(name, 0), abs=0.002), name


def test_roleplay_is_as_common_as_in_the_labels(head: ConversationHead, drawn: Seen) -> None:
    """The share of roleplay is taken among all written conversations, whether affective or not."""
    share = (drawn.whole[REAL:, -1] >= head.thresholds[-1]).mean()
    assert share == pytest.approx(TASKS / 3 / (AFFECTIVE + TASKS), abs=0.002)


def test_edges_have_a_type_as_often_as_in_the_labels(head: ConversationHead, drawn: Seen) -> None:
    """A third of the openings and all closings have a type, so two thirds of all edges have one."""
    edges = calibrated(head, drawn.edges[REAL : REAL + AFFECTIVE])
    assert (edges >= head.edge_threshold).mean() == pytest.approx(2 / 3, abs=0.002)


def test_messages_and_tool_use_do_not_change_the_calibration(
    head: ConversationHead, drawn: Seen
) -> None:
    """Extreme scores of single messages and of tool use change no part of the calibrated head."""
    message = conversation(["coaching"], source="message", opening="coaching", closing="coaching")
    said = [message, conversation(None, source="gsm8k")]
    others = Seen(said, np.full((2, 1 + len(TYPES)), 50.0), np.full((2, 2), -50.0))
    found = calibrate(HEAD, join([others, drawn]))
    for part in ConversationHead.__dataclass_fields__:
        assert np.array_equal(getattr(found, part), getattr(head, part)), part


def test_the_language_shift_recovers_a_known_offset() -> None:
    """Chinese scores are raised and Arabic scores are lowered, and the shift undoes both."""
    head = calibrate(HEAD, draw(zh=0.25, ar=-0.5))
    shift = dict(zip(LANGUAGES, (head.language_shift / head.weights[0, 2]).tolist(), strict=True))
    assert (shift["zh"], shift["ar"]) == pytest.approx((-0.25, 0.5), abs=0.15)
    assert {shift[code] for code in LANGUAGES if code not in ("zh", "ar")} == {0.0}


def test_the_language_shift_comes_before_the_thresholds() -> None:
    """If all real and affective conversations are Arabic, thresholds move with Arabic's shift."""
    drawn = draw(ar=-0.5)
    arabic = [replace(row, language="ar") for row in drawn.conversations[: REAL + AFFECTIVE]]
    said = arabic + drawn.conversations[REAL + AFFECTIVE :]
    head = calibrate(HEAD, Seen(said, drawn.whole, drawn.edges))
    shift = head.language_shift[LANGUAGES.index("ar")]
    found = calibrated(head, drawn.whole[:REAL, 0]) + shift
    edges = calibrated(head, drawn.edges[REAL : REAL + AFFECTIVE]) + shift
    assert shift > 1
    assert (found >= head.thresholds[0]).mean() == pytest.approx(COUNTED, abs=2 / REAL)
    assert (edges >= head.edge_threshold).mean() == pytest.approx(2 / 3, abs=0.002)


def test_the_language_shift_is_bounded() -> None:
    """A language with absurd scores is shifted by at most two logits."""
    head = calibrate(HEAD, draw(zh=9.0, ar=-9.0))
    assert head.language_shift[[LANGUAGES.index("zh"), LANGUAGES.index("ar")]].tolist() == [-2, 2]


def fitted() -> Weights:
    """Draws random pooling weights that stand for the weights of a fitted network."""
    random = np.random.default_rng(4)
    sizes: dict[str, tuple[int, ...]] = {"pool": (7, 4), "pool_length": (7,), "pool_bias": (7,)}
    return {name: random.normal(size=size) for name, size in sizes.items()}


def scored(*sizes: int) -> Scored:
    """Draws scores of real conversations with `sizes` human messages."""
    rows = np.random.default_rng(5).integers(-90, 91, (sum(sizes), HUMAN_WIDTH)).astype(np.int8)
    return Scored([real(size) for size in sizes], rows, np.cumsum([0, *sizes]))


def test_edges_are_the_gate_of_the_first_and_last_three_messages() -> None:
    """The gate rises from 0 to 4; a single message is both opening and closing."""
    rows = np.zeros((6, HUMAN_WIDTH), np.int8)
    rows[:, 0] = 8 * np.arange(6)
    rows[:, FIRST_TYPE] = -rows[:, 0]
    seen = look(HEAD, Scored([real(5), real()], rows, np.array([0, 5, 6])))
    assert seen.whole[:, :2].tolist() == [[2.0, -2.0], [5.0, -5.0]]
    assert seen.edges.tolist() == [[1.0, 3.0], [5.0, 5.0]]


def test_joined_logits_can_be_taken_in_any_order() -> None:
    """Conversations judged by several heads keep their own logits in the requested order."""
    one, two = (look(begin(fitted()), scored(*sizes)) for sizes in ((1, 2), (4, 5)))
    taken = join([one, two]).take(np.array([3, 0]))
    assert taken.conversations == [two.conversations[1], one.conversations[0]]
    assert taken.whole.tolist() == [two.whole[1].tolist(), one.whole[0].tolist()]
    assert taken.edges.tolist() == [two.edges[1].tolist(), one.edges[0].tolist()]


def test_only_real_conversations_set_the_level(drawn: Seen) -> None:
    """Written conversations do not affect the level, and lower logits lower it."""
    by = np.arange(1.0 + len(TYPES))
    level = drawn.take(np.arange(REAL)).level()
    assert drawn.level().tolist() == level.tolist()
    assert drawn.lowered(by).level() == pytest.approx(level - by)


def test_lowering_a_head_lowers_its_logits() -> None:
    """All logits fall (gate, types and both edges) in short and long conversations."""
    weights, said, by = fitted(), scored(1, 2, 4, 9), np.linspace(-2, 3, 1 + len(TYPES))
    found = look(begin(lower(weights, by)), said)
    wanted = look(begin(weights), said).lowered(by)
    assert found.whole == pytest.approx(wanted.whole)
    assert found.edges == pytest.approx(wanted.edges)


def test_aligning_brings_the_upper_levels_to_zero() -> None:
    """After aligning, the classifier's head gives the texts upper levels of zero."""
    weights, said = fitted(), scored(*[1] * 300)
    aligned = align(weights, said.scores.astype(np.float32) * np.float32(LOGIT_UNIT))
    assert look(begin(weights), said).level().min() > 1
    assert look(begin(aligned), said).level() == pytest.approx(np.zeros(1 + len(TYPES)), abs=1e-5)


def test_sentiment_cuts_give_the_labelled_shares() -> None:
    """The five steps get 10, 20, 40, 20 and 10 per cent of 200 messages, as in the labels."""
    shares = [20, 40, 80, 40, 20]
    wanted = np.repeat([-1.0, -0.5, 0.0, 0.5, 1.0], shares)
    logits = np.random.default_rng(3).permutation(np.linspace(-7, 2, 200))
    steps = np.searchsorted(sentiment_cuts(logits, wanted), logits, "right")
    assert np.bincount(steps) == pytest.approx(shares, abs=1)


def replies(language: str, pushback: int, count: int, source: str = "written") -> list[Reply]:
    """Builds `count` replies; the last `pushback` of them push back."""
    return [Reply("", source, "", language, 1.0, n >= count - pushback) for n in range(count)]


def test_the_pushback_shift_brings_the_best_cut_to_zero() -> None:
    """English and Chinese have their own cuts; a language with few replies gets the common cut."""
    said = [*replies("en", 20, 45), *replies("zh", 25, 45), *replies("fr", 3, 5)]
    ranks = np.concatenate([np.arange(45.0), np.arange(45.0) - 30, np.arange(5.0) + 23])
    shift = pushback_shift(said, ranks)
    found = {code: shift[LANGUAGES.index(code)] for code in ("en", "zh", "fr", "de")}
    assert (found["en"], found["zh"]) == (-25.0, 10.0)
    assert found["fr"] == found["de"]


def test_only_written_replies_set_the_pushback_shift() -> None:
    """Scraped replies were labelled by a different rule, so they do not affect the shift."""
    said = [*replies("en", 20, 45), *replies("en", 45, 45, source="xstest")]
    shift = pushback_shift(said, np.concatenate([np.arange(45.0), np.arange(45.0) - 99]))
    assert shift[LANGUAGES.index("en")] == -25.0
