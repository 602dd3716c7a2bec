"""Solves the linear equations between published cells, as an attacker would.

This module does not use Beam.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable
from typing import Final

from transforms.counting.cells import Cell

_PRIME: Final = 2**61 - 1


def solved_by(
    rows: Iterable[dict[Cell, int]], unknown: Container[Cell]
) -> dict[Cell, dict[Cell, int]]:
    """Finds the unknown cells whose numbers follow from linear equations.

    This is sparse Gaussian elimination to reduced row echelon form, with integers modulo a 61-bit
    prime, so that numbers stay small. The chance that a determinant is 0 modulo the prime but not
    0 itself is negligible.

    Args:
      rows: for each equation, the coefficients of its cells. The sum of each cell times its
        coefficient is 0. The dicts are modified.
      unknown: the cells whose numbers are not known.

    Returns:
      For each unknown cell that can be worked out, the known cells from which it follows.
    """
    equations = sorted(rows, key=len)
    occurrences = Counter(cell for row in equations for cell in row if cell in unknown)
    reduced: dict[Cell, dict[Cell, int]] = {}
    holders: defaultdict[Cell, set[Cell]] = defaultdict(set)
    for row in equations:
        for cell in [cell for cell in row if cell in reduced]:
            _subtract(row, reduced[cell], row[cell])
        candidates = [cell for cell in row if cell in unknown]
        if not candidates:
            continue
        # Choosing the rarest unknown changes few other equations, so the matrix stays sparse.
        pivot = min(candidates, key=lambda cell: (len(holders[cell]), occurrences[cell], cell))
        inverse = pow(row[pivot], -1, _PRIME)
        for cell in row:
            row[cell] = row[cell] * inverse % _PRIME
        for holder in holders.pop(pivot, ()):
            other = reduced[holder]
            _subtract(other, row, other[pivot])
            for cell in candidates:
                if cell in other:
                    holders[cell].add(holder)
                elif cell in holders:
                    holders[cell].discard(holder)
        reduced[pivot] = row
        for cell in candidates:
            if cell != pivot:
                holders[cell].add(pivot)
    return {
        pivot: {cell: times for cell, times in row.items() if cell != pivot}
        for pivot, row in reduced.items()
        if not any(cell in unknown for cell in row if cell != pivot)
    }


def _subtract(row: dict[Cell, int], other: dict[Cell, int], times: int) -> None:
    """Subtracts a multiple of another equation from `row`, in place."""
    for cell, coefficient in other.items():
        left = (row.get(cell, 0) - times * coefficient) % _PRIME
        if left:
            row[cell] = left
        else:
            row.pop(cell, None)
