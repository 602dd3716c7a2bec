"""Publishes a day that is judged bit by bit, with the rows that the publisher writes and reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.publishing.windows import Batch, publish_windows
from schemas.counts import CountsRow
from tests.judged import MONDAY, Labelled, counts, judgements, labelled, sampled
from tests.run_folders import counts_row
from transforms.counting.cells import BREAKDOWN_NAMES, WHOLE_DAY
from transforms.counting.places import cells_text
from transforms.judging.conversations import JudgedConversation, join
from transforms.publishing.policy import Policy
from transforms.publishing.rows import standing_of


def count_rows(made: Sequence[Labelled]) -> list[CountsRow]:
    """Returns the rows of the table counts for Monday."""
    return [
        counts_row(
            cells[WHOLE_DAY.slice_index].conversations if WHOLE_DAY.slice_index in cells else 0,
            breakdown=BREAKDOWN_NAMES[place.breakdown],
            breakdown_value=place.value,
            cells=cells_text(cells),
        )
        for place, cells in counts(made, MONDAY).items()
    ]


class JudgedDay:
    """A Monday, its late conversations, and the first ones of its sample that are judged.

    Attributes:
      made: the conversations that were counted in time.
      late: conversations on iOS that came later.
    """

    def __init__(self, seed: int = 1, conversations: int = 600, late: int = 40) -> None:
        random = np.random.default_rng(seed)
        self.made = labelled(random, conversations, share=0.3)
        others = labelled(random, 10 * late, share=0.3, day=0)
        self.late = [e for e in others if e.said.breakdowns[0] == "ios"][:late]
        self._sample = sampled(self.made, conversations)
        self._said = judgements(self.made, self._sample)

    def judged(self, number: int) -> list[JudgedConversation]:
        """Returns the first conversations of the sample, as judged."""
        return join(self._sample, self._said[:number])

    def publish(
        self, number: int, before: Sequence[Batch] = (), *, is_complete: bool = False,
        policy: Policy | None = None,
    ) -> Batch:  # fmt: skip
        """Publishes the day with so many judgements, after earlier publications of it."""
        standing = standing_of(
            [row for batch in before for row in batch.publications],
            [row for batch in before for row in batch.bases],
            [row for batch in before for row in batch.figures],
        )
        made = [*self.made, *(self.late if is_complete else ())]
        return publish_windows(
            count_rows(made), {MONDAY: standing}, policy or Policy(), len(before) + 1,
            self.judged(number),
        )  # fmt: skip
