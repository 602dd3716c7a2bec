"""Weighs conversations: the higher the weight, the likelier the conversation is judged.

The probability of being judged is min(1, c * weight). For a given number of judgements, an
estimated share is most precise if the weight is proportional to the standard deviation of the
classifier's error (Neyman 1934). A conversation that is affective with probability p has the
standard deviation sqrt(p (1 - p)). So the weight is, in units of 1 / `SCALE`:

    sqrt(p (1 - p) + FLOOR)

- p is the gate's probability, but at most one half. On a platform that the model has never seen,
  only two in five of the highest logits were right, so high logits are checked as much as doubtful
  ones.
- `FLOOR` protects against a gate that is wrong about these conversations: even those that
  look least affective have a fifteenth of the largest weight. Without it, one conversation that the
  gate missed might stand for thousands.
- Companionship and romantic roleplay are rare. Where the classifier finds them, the weight is
  doubled.
- Roleplay is not affective, so its weight is at least half of the largest.
- Pushback raises the weight by a quarter, because pushback is counted too.

Weights are integers, computed with decimal arithmetic, so every machine has the same.

This module does not use Beam.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Final

from schemas.labels import TYPES
from transforms.classifiers.interface import LOGIT_UNIT

SCALE: Final = 20_000

FLOOR: Final = Decimal("0.001")
"""The variance that every conversation has at least: that of one affective in a thousand.

Computed for 20,000 conversations, of which 3 % are affective, and 500 judgements (accurate model):
with half the floor, the standard error of the affective share is 3 % smaller, with twice the floor
4 % larger, and with four times 9 % larger. See `tests/benchmarks/bench_judged.py`.
"""

LOWEST, HIGHEST = -128, 127
"""The range of a stored logit."""

_DIGITS: Final = Context(prec=28)
_RARE: Final = sum(1 << TYPES.index(name) for name in ("companionship", "romantic_roleplay"))
_ROLEPLAY: Final = 1 << TYPES.index("roleplay")
_LEAST_OF_ROLEPLAY: Final = SCALE // 4


def _by_gate(gate_logit: int) -> int:
    odds = _DIGITS.exp(Decimal(min(gate_logit, 0)) * Decimal(LOGIT_UNIT))
    probability = _DIGITS.divide(odds, 1 + odds)
    deviation = _DIGITS.sqrt(probability * (1 - probability) + FLOOR)
    return int((deviation * SCALE).to_integral_value())


_BY_GATE: Final = tuple(_by_gate(logit) for logit in range(LOWEST, HIGHEST + 1))


def weight(gate_logit: int, types: int, has_pushback: bool) -> int:
    """Returns the weight of a conversation, from 1 to 65,535.

    Args:
      gate_logit: the affective gate's logit, in units of 1/8, from -128 to 127.
      types: bit i is set if the classifier finds type i of `labels.TYPES`.
      has_pushback: whether the classifier finds pushback.

    Raises:
      ValueError: if the logit or the types are out of range.
    """
    if not LOWEST <= gate_logit <= HIGHEST:
        raise ValueError(f"gate_logit must be {LOWEST}..{HIGHEST}, got {gate_logit}")
    if not 0 <= types < 1 << len(TYPES):
        raise ValueError(f"types must be 0..{(1 << len(TYPES)) - 1}, got {types}")
    found = _BY_GATE[gate_logit - LOWEST]
    if types & _RARE:
        found *= 2
    if types & _ROLEPLAY:
        found = max(found, _LEAST_OF_ROLEPLAY)
    return found * 5 // 4 if has_pushback else found
