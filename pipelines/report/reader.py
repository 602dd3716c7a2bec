"""Reads a run's figures from the published tables in its database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb

from pipelines.publishing.rates import kept_rates
from pipelines.report.corrections import is_supported
from pipelines.report.figures import (
    AFFECTIVE,
    GROUPS,
    LABELS,
    TOGETHER,
    Breakdown,
    Change,
    Day,
    FacetShares,
    Figures,
    Period,
    Receipt,
    Share,
    Value,
)
from pipelines.report.model_watch import watched_of
from pipelines.sinks.database import DATABASE_FILE
from schemas.failures import InputError
from schemas.labels import AFFECTIVE_TYPES, PUSHBACK_REASONS, PUSHBACK_TYPES, TYPES, USES
from schemas.published import MEAN_CHANGE, SHARE
from transforms.estimation.rates import GivenRates, Rates
from transforms.estimation.shares import whole_of
from transforms.facets.facet import ALL
from transforms.facets.lengths import LENGTHS
from transforms.facets.registry import BREAKDOWN_NAMES, BY_NAME, FACETS
from transforms.publishing.policy import Policy

MAX_BREAKDOWN_VALUES: Final = 200
"""Maximum number of values that the report lists for a breakdown. The database has all values."""

_HOURS: Final = 24
_BREAKDOWN_FACETS: Final = (("use", AFFECTIVE), ("long", ALL), ("pushback", ALL))
_IN_SECTIONS: Final = frozenset((
    "all", "type", "use", "length", "long", "sentiment", "pushback", "pushback_reason",
    "opening", "opening_long", "drift", "drift_long", "drift_headline", "drift_long_headline",
    TOGETHER,
))  # fmt: skip
"""Facets that have their own section in the report; all others are listed in `more`."""

Row = Mapping[str, Any]


def read_figures(folder: Path) -> Figures:
    """Reads the figures of the run in a folder.

    Raises:
      InputError: if the folder has no database, or the database is from another version.
    """
    file = folder / DATABASE_FILE
    if not file.exists():
        raise InputError(f"{folder} has no {DATABASE_FILE}; give the folder of a finished run")
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            return _Reader(connection, kept_rates(folder)).figures()
    except duckdb.Error:
        raise InputError(
            f"{file} can't be read; it is damaged or of another version, so run again into a new "
            "folder"
        ) from None


class _Reader:
    def __init__(self, connection: duckdb.DuckDBPyConnection, rates: GivenRates) -> None:
        self._connection = connection
        self._range = self._newest_range()
        self._receipt = _receipt(self._range)
        self._is_exact = self._receipt is not None and self._receipt.policy.is_exact
        version = self._receipt.classifier_version if self._receipt else ""
        self._measured = rates.of(version)

    def figures(self) -> Figures:
        rows = self._figures_of_range()
        overall = self._shares(rows["overall", ALL])
        measured = self._measured
        return Figures(
            receipt=self._receipt,
            period=self._period(),
            affective=overall.share("use", AFFECTIVE),
            types=overall.shares("type", TYPES),
            types_of_affective=overall.shares("type", AFFECTIVE_TYPES, whole="use"),
            together=replace(overall.share(TOGETHER, "any"), name=TOGETHER),
            uses=overall.shares("use", USES),
            lengths=overall.shares("length", LENGTHS),
            long=overall.shares("long", GROUPS),
            changes=[overall.change(group) for group in GROUPS],
            pushback=overall.shares("pushback", (ALL, *PUSHBACK_TYPES)),
            reasons=overall.shares("pushback_reason", PUSHBACK_REASONS),
            headline_drift=overall.headline_drift("drift_headline"),
            headline_drift_long=overall.headline_drift("drift_long_headline"),
            measured_drift=None if measured is None else measured.drift,
            more=[
                FacetShares(facet, overall.shares(facet.name, facet.values))
                for facet in FACETS
                if facet.name not in _IN_SECTIONS
            ],
            breakdowns=[self._breakdown(name, rows) for name in BREAKDOWN_NAMES[1:]],
            days=self._days(),
            hours=self._hours(),
            watched=watched_of(rows["overall", ALL], measured),
            rates=measured.rates if measured else (),
            unsupported=sorted(measured.unsupported) if measured else (),
        )

    def _shares(self, rows: Iterable[Row]) -> _Place:
        return _Place(rows, self._is_exact, self._measured)

    def _rows(self, sql: str, *parameters: Any) -> list[Row]:
        cursor = self._connection.execute(sql, parameters)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]

    def _newest_range(self) -> Row | None:
        """Returns the publication of the whole run."""
        rows = self._rows(
            "FROM publications_current WHERE window_kind = 'range' "
            "ORDER BY window_end DESC, window_start LIMIT 1"
        )
        return rows[0] if rows else None

    def _period(self) -> Period | None:
        """Returns None if not even the number of all conversations was published."""
        if self._range is None:
            return None
        totals = self._totals_of_range("overall")
        if not totals:
            return None
        last = self._range["window_end"] - timedelta(microseconds=1)
        return Period(totals[0][1], self._range["window_start"].date(), last.date())

    def _figures_of_range(self) -> Mapping[tuple[str, str], list[Row]]:
        """Returns the rows of the whole run by breakdown and value."""
        found: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
        if self._range is not None:
            publication = self._range["publication"]
            for row in self._rows("FROM figures_current WHERE publication = ?", publication):
                found[row["breakdown"], row["breakdown_value"]].append(row)
        return found

    def _totals_of_range(self, breakdown: str) -> list[tuple[str, int]]:
        """Returns the values of a breakdown with their numbers of conversations, largest first."""
        if self._range is None:
            return []
        rows = self._rows(
            "SELECT breakdown_value, conversations FROM aggregates_current "
            "WHERE publication = ? AND breakdown = ? AND facet = 'all' "
            "ORDER BY conversations DESC, breakdown_value",
            self._range["publication"],
            breakdown,
        )
        return [(row["breakdown_value"], row["conversations"]) for row in rows]

    def _breakdown(self, name: str, rows: Mapping[tuple[str, str], list[Row]]) -> Breakdown:
        totals = self._totals_of_range(name)
        if name == "length":
            totals.sort(key=lambda item: LENGTHS.index(item[0]))
        values = []
        for value, conversations in totals[:MAX_BREAKDOWN_VALUES]:
            place = self._shares(rows.get((name, value), ()))
            shares = (place.share(*facet) for facet in _BREAKDOWN_FACETS)
            values.append(Value(value, conversations, *shares))
        return Breakdown(name, LABELS[name], values, len(totals) - len(values))

    def _all_days(self) -> list[date]:
        period = self._period()
        return [period.first + timedelta(days=n) for n in range(period.days)] if period else []

    def _days(self) -> list[Day]:
        totals = self._totals_of("day")
        shares: defaultdict[date, list[Row]] = defaultdict(list)
        for row in self._rows(
            "FROM figures_current WHERE window_kind = 'day' AND breakdown = 'overall' "
            "AND facet = 'use'"
        ):
            shares[row["window_start"].date()].append(row)
        missing = 0 if self._is_exact else None
        return [
            Day(
                day,
                totals.get((day, 0), missing),
                self._shares(shares[day]).share("use", AFFECTIVE),
            )
            for day in self._all_days()
        ]

    def _hours(self) -> list[int | None]:
        """Returns the conversations of each hour of the day.

        Hours with too few are not published, so a sum over days would leave them out. The day in
        the middle needs no sum: a missing hour has fewer conversations than a published one.
        """
        totals = self._totals_of("hour")
        days = self._all_days()
        by_hour = [[totals.get((day, hour)) for day in days] for hour in range(_HOURS)]
        if self._is_exact:
            return [sum(count or 0 for count in counts) for counts in by_hour]
        return [_middle(counts) for counts in by_hour]

    def _totals_of(self, kind: str) -> dict[tuple[date, int], int]:
        """Returns the conversations of each hour or day, by day and hour."""
        rows = self._rows(
            "SELECT window_start, conversations FROM aggregates_current WHERE window_kind = ? "
            "AND breakdown = 'overall' AND facet = 'all'",
            kind,
        )
        return {
            (row["window_start"].date(), row["window_start"].hour): row["conversations"]
            for row in rows
        }


class _Place:
    """Finds the figures of one window and one breakdown value."""

    def __init__(self, rows: Iterable[Row], is_exact: bool, measured: Rates | None) -> None:
        self._is_exact = is_exact
        self._measured = measured
        self._shares: dict[tuple[str, str, str], Row] = {}
        self._changes: dict[str, Row] = {}
        for row in rows:
            if row["measure"] == SHARE:
                self._shares[row["facet"], row["facet_value"], row["whole_facet"]] = row
            elif row["measure"] == MEAN_CHANGE:
                self._changes[row["facet_value"]] = row

    def share(self, facet: str, name: str, whole: str | None = None) -> Share:
        """Returns a value's share of `whole`.

        If `whole` is None, the facet's usual denominator is used instead.
        """
        whole = whole or _whole_facet(facet, name)
        row = self._shares.get((facet, name, whole))
        if row is None:
            return Share(name, conversations=0) if self._is_exact else Share(name)
        return Share(
            name=name,
            conversations=row["conversations"],
            whole=row["whole_conversations"],
            raw=row["raw"],
            corrected=row["corrected"],
            low=row["low"],
            high=row["high"],
            method=row["method"],
            is_supported=is_supported(facet, name, whole, self._measured),
        )

    def shares(self, facet: str, names: Iterable[str], whole: str | None = None) -> list[Share]:
        """Returns the shares of some values of a facet, in the given order."""
        return [self.share(facet, name, whole) for name in names]

    def headline_drift(self, facet: str) -> Share:
        """Returns the share of the openings as coaching or counseling that turn."""
        return self.share(facet, "companionship", whole=facet)

    def change(self, group: str) -> Change:
        """Returns the mean change of mood of a group."""
        row = self._changes.get(group)
        if row is None:
            return Change(group, conversations=0) if self._is_exact else Change(group)
        names = ("conversations", "raw", "corrected", "low", "high", "method")
        return Change(group, *(row[name] for name in names))


def _receipt(publication: Row | None) -> Receipt | None:
    if publication is None:
        return None
    return Receipt(
        publication["publication"],
        Policy.decode(publication["policy"]),
        publication["key_id"],
        publication["metrics_version"],
        publication["classifier_version"],
        publication["judge"],
        publication["judgements"],
    )


def _whole_facet(name: str, value: str) -> str:
    """Returns the facet of a value's usual denominator."""
    facet = BY_NAME[name]
    whole = whole_of(facet, value, facet.share_of)
    assert whole is not None, f"{name} {value} is not a share"
    return whole.facet


def _middle(counts: Sequence[int | None]) -> int | None:
    """Returns the median; None if it is one of the missing numbers, which are the smallest."""
    ordered = sorted(counts, key=lambda count: -1 if count is None else count)
    return ordered[(len(ordered) - 1) // 2] if ordered else None
