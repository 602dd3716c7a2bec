"""Makes the rows of the table `counts`.

This module does not use Beam.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.counts import CountsRow
from schemas.judged import CandidatesRow
from transforms.counting.candidates import Candidates
from transforms.counting.cells import BREAKDOWN_NAMES, NOTHING, WHOLE_DAY
from transforms.counting.places import Cells, cells_text
from transforms.counting.register import Stamp
from transforms.counting.totals import PlaceKey

EVERYONE: Final = WHOLE_DAY.slice_index
"""The slice of all conversations."""


@dataclass(frozen=True)
class Provenance:
    """What every row says about how it was counted.

    Attributes:
      origin: `tables.STREAM` or `tables.BATCH`.
      metrics_version: version of the definitions.
      classifier_version: version of the classifier's weights.
    """

    origin: str
    metrics_version: str
    classifier_version: str


def candidates_row(
    key: PlaceKey,
    candidates: Candidates,
    stamp: Stamp,
    revision: int,
    provenance: Provenance,
    key_id: str,
) -> CandidatesRow:
    """Builds the row of `candidates` that holds one version of an hour's candidates.

    Args:
      key: the place of all conversations of the hour.
      candidates: its candidates.
      stamp: the generation and the snapshot.
      revision: the version, microseconds since the epoch.
      provenance: how it was counted.
      key_id: id of the secret that the conversations' hashes are made with.
    """
    _, start_us, end_us, *_ = key
    return CandidatesRow(
        start_us,
        end_us,
        candidates.edge,
        candidates.text(),
        stamp.generation,
        stamp.snapshot,
        revision,
        provenance.origin,
        key_id,
        provenance.metrics_version,
        provenance.classifier_version,
    )


def counts_row(
    key: PlaceKey, cells: Cells, stamp: Stamp, revision: int, provenance: Provenance, key_id: str
) -> CountsRow:
    """Builds the row of `counts` that holds one version of a place's totals.

    Args:
      key: the place.
      cells: its sums.
      stamp: the generation and the snapshot.
      revision: the version, microseconds since the epoch.
      provenance: how it was counted.
      key_id: id of the secret that the record keys are made with.
    """
    kind, start_us, end_us, breakdown, value = key
    everyone = cells.get(EVERYONE, NOTHING)
    return CountsRow(
        window_kind=kind,
        window_start_us=start_us,
        window_end_us=end_us,
        breakdown=BREAKDOWN_NAMES[breakdown],
        breakdown_value=value,
        conversations=everyone.conversations,
        users=everyone.users,
        cells=cells_text(cells),
        generation=stamp.generation,
        snapshot=stamp.snapshot,
        revision=revision,
        origin=provenance.origin,
        key_id=key_id,
        metrics_version=provenance.metrics_version,
        classifier_version=provenance.classifier_version,
    )
