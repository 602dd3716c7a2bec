"""Tests the weights by which conversations are chosen to be judged."""

from __future__ import annotations

import pytest

from schemas.labels import TYPES
from transforms.judging.allocation import HIGHEST, LOWEST, SCALE, weight

ALL_TYPES = range(1 << len(TYPES))


def bit(name: str) -> int:
    """Returns the bit of a type."""
    return 1 << TYPES.index(name)


def test_known_weights() -> None:
    """The weights of some logits stay the same, because they decide who is sampled."""
    weights = [weight(logit, 0, False) for logit in (-128, -64, -32, -16, 0, 127)]
    assert weights == [632, 731, 2732, 6511, 10020, 10020]


def test_weights_fit_in_two_bytes() -> None:
    """All weights are whole numbers from 1 to 65,535."""
    for logit in range(LOWEST, HIGHEST + 1):
        for types in ALL_TYPES:
            found = [weight(logit, types, pushback) for pushback in (False, True)]
            assert all(isinstance(one, int) and 1 <= one <= 65_535 for one in found)


def test_it_grows_with_the_logit() -> None:
    """A higher logit never means a lower weight, because high logits are often wrong, too."""
    weights = [weight(logit, 0, False) for logit in range(LOWEST, HIGHEST + 1)]
    assert weights == sorted(weights)


def test_the_lowest_weight_has_a_floor() -> None:
    """What looks least affective has a fifteenth of the largest weight, not none."""
    assert weight(HIGHEST, 0, False) / 16 < weight(LOWEST, 0, False)


@pytest.mark.parametrize("name", ["companionship", "romantic_roleplay"])
def test_rare_types_weigh_double(name: str) -> None:
    """Companionship and romantic roleplay double the weight, but only once."""
    both = bit("companionship") | bit("romantic_roleplay")
    assert weight(-20, bit(name), False) == 2 * weight(-20, 0, False)
    assert weight(-20, both, False) == 2 * weight(-20, 0, False)


def test_roleplay_has_a_least_weight() -> None:
    """Roleplay is judged although its gate logit is low."""
    assert weight(LOWEST, bit("roleplay"), False) == SCALE // 4
    assert weight(HIGHEST, bit("roleplay"), False) == weight(HIGHEST, 0, False)


def test_pushback_raises_the_weight() -> None:
    """Pushback raises each weight by a quarter, rounded down."""
    assert weight(0, 0, True) == weight(0, 0, False) * 5 // 4


@pytest.mark.parametrize(("logit", "types"), [(-129, 0), (128, 0), (0, 64), (0, -1)])
def test_it_refuses_what_is_out_of_range(logit: int, types: int) -> None:
    """Logits must fit in a signed byte, and types must be known."""
    with pytest.raises(ValueError, match=r"must be .* got"):
        weight(logit, types, False)
