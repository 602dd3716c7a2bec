"""Adds up the final conversations of a bounded run: hours, days, weeks, months and the whole range.

Windows are nested, so conversations are added up by hour only. The longer windows are sums of the
shorter ones. Numbers of users do not add up: a user with conversations in two hours of a day counts
once in the day. So the builder also counts *repeats* and subtracts them from the sums. A user who
was in three hours of a day has two repeats in that day.

This is the innermost loop of a bounded run, because a conversation is in about sixty cells.

This module does not use Beam.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from transforms.counting.candidates import Candidates, candidate_of
from transforms.counting.cells import HOUR_US, OVERALL, Sums, day_of
from transforms.counting.contribution import RankedSummary, record_key
from transforms.counting.places import Cells, Place, add_cells
from transforms.counting.profile import profile_of
from transforms.counting.totals import PlaceChange, PlaceKey, place_key
from transforms.counting.windows import RANGE, Window, day_window, hour_of, month_of, week_of
from transforms.facets.registry import SUMMING_CHANGE

WHOLE_RANGE: Final = Window(RANGE, 0, 0)
"""The range of a run whose first and last day are not known yet."""


class CountsBuilder:
    """Adds up the conversations of many users.

    Args:
      longer: the weeks, months and ranges to count. None means `WHOLE_RANGE` plus every week and
        month that has a conversation.
      most_candidates: how many candidates for judging to keep of each hour.
    """

    def __init__(self, longer: Collection[Window] | None = None, most_candidates: int = 0) -> None:
        self._longer = longer
        self._most_candidates = most_candidates
        self._candidates: defaultdict[int, Candidates] = defaultdict(Candidates)
        self._hours: defaultdict[tuple[int, int, str], dict[int, list[int]]] = defaultdict(dict)
        self._repeats: defaultdict[PlaceKey, Counter[int]] = defaultdict(Counter)
        self._longer_by_day: dict[int, list[Window]] = {}

    def add_user(self, ranked: Iterable[RankedSummary]) -> None:
        """Adds all conversations of one user that count.

        The user counts once in every cell that has at least one of the conversations. A
        conversation without a user does not add to the number of users.
        """
        counted: set[int] = set()
        hours: defaultdict[tuple[int, str, int], set[int]] = defaultdict(set)
        several = list(ranked)
        for rank, summary in several:
            key = record_key(rank)
            is_user = 1 if summary.user else 0
            change = summary.sentiment_change_300ths or 0
            hour_us = summary.started_at_us - summary.started_at_us % HOUR_US
            profile = profile_of(summary)
            self._candidates[hour_us].add(candidate_of(rank, day_of(hour_us), profile))
            # Otherwise a bundle would hold a candidate for each of its conversations.
            self._candidates[hour_us].keep_about(self._most_candidates)
            for breakdown, value, slices in profile.slices():
                row = self._hours[hour_us, breakdown, value]
                for index in slices:
                    sums = row.get(index)
                    if sums is None:
                        row[index] = sums = [0, 0, 0, 0, 0]
                    sums[0] += 1
                    sums[2] += key
                    if is_user and id(sums) not in counted:
                        counted.add(id(sums))
                        sums[1] += 1
                    if change and index in SUMMING_CHANGE:
                        sums[3] += change
                        sums[4] += change * change
                if is_user and len(several) > 1:
                    for index in slices:
                        hours[breakdown, value, index].add(hour_us)
        for (breakdown, value, index), in_hours in hours.items():
            if len(in_hours) > 1:
                self._add_repeats(Place(breakdown, value), index, in_hours)

    def _add_repeats(self, place: Place, index: int, hours: Iterable[int]) -> None:
        """Counts the repeats of a user who was in a cell in each of these hours."""
        days = Counter(day_of(hour_us) for hour_us in hours)
        for day_us, in_day in days.items():
            if in_day > 1:
                self._repeats[place_key(day_window(day_us), place)][index] += in_day - 1
        if len(days) > 1:
            longer = Counter(window for day_us in days for window in self._longer_of(day_us))
            for window, in_window in longer.items():
                if in_window > 1:
                    self._repeats[place_key(window, place)][index] += in_window - 1

    def _longer_of(self, day_us: int) -> list[Window]:
        """Returns the weeks, months and ranges that contain a day."""
        found = self._longer_by_day.get(day_us)
        if found is None:
            found = self._longer_by_day[day_us] = (
                [week_of(day_us), month_of(day_us), WHOLE_RANGE]
                if self._longer is None
                else [w for w in self._longer if w.start_us <= day_us < w.end_us]
            )
        return found

    def places(self) -> Iterator[tuple[PlaceKey, PlaceChange]]:
        """Yields every place once, with its sums so far."""
        days: defaultdict[tuple[int, int, str], Cells] = defaultdict(dict)
        longer: defaultdict[PlaceKey, Cells] = defaultdict(dict)
        for (hour_us, breakdown, value), row in self._hours.items():
            cells = {index: Sums(*sums) for index, sums in row.items()}
            add_cells(days[day_of(hour_us), breakdown, value], cells)
            candidates = self._candidates[hour_us] if breakdown == OVERALL else Candidates()
            yield (
                place_key(hour_of(hour_us), Place(breakdown, value)),
                PlaceChange(cells, candidates=candidates.keep(self._most_candidates)),
            )
        for (day_us, breakdown, value), cells in days.items():
            place = Place(breakdown, value)
            key = place_key(day_window(day_us), place)
            self._take_repeats_off(key, cells)
            for window in self._longer_of(day_us):
                add_cells(longer[place_key(window, place)], cells)
            yield key, PlaceChange(cells)
        for key, cells in longer.items():
            self._take_repeats_off(key, cells)
            yield key, PlaceChange(cells)

    def _take_repeats_off(self, key: PlaceKey, cells: Cells) -> None:
        for index, repeats in self._repeats.get(key, {}).items():
            cells[index] = cells[index]._replace(users=cells[index].users - repeats)
