"""Reads the figures of a run from its database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb

from pipelines.report.corrections import correct_uses, is_supported
from pipelines.report.figures import (
    _LABELS,
    AFFECTIVE,
    GROUPS,
    Breakdown,
    Change,
    Day,
    FacetShares,
    Figures,
    HeadlineDrift,
    Period,
    Rate,
    Share,
    Value,
)
from pipelines.sinks.database import DATABASE_FILE
from schemas.failures import InputError
from schemas.labels import AFFECTIVE_TYPES, PUSHBACK_REASONS, PUSHBACK_TYPES, TYPES, USES
from transforms.estimation.rates import Rates, load_measured
from transforms.facets.facet import ALL, ShareOf
from transforms.facets.lengths import LENGTHS
from transforms.facets.registry import BREAKDOWN_NAMES, BY_NAME, FACETS
from transforms.publishing.suppression import NOT_PUBLISHED

LENGTH_BREAKDOWN: Final = "length"


MAX_BREAKDOWN_VALUES: Final = 200
"""Maximum number of values that the report lists for a breakdown. The database has all values."""


_OVERALL: Final = "granularity = 'period' AND breakdown = 'overall'"


_BREAKDOWN_FACETS: Final = (("use", AFFECTIVE), ("long", ALL), ("pushback", ALL))


_HOURS: Final = 24


_IN_SECTIONS: Final = frozenset((
    "all", "type", "use", "length", "long", "sentiment", "pushback", "pushback_reason",
    "drift", "drift_long",
))  # fmt: skip
"""Facets that have their own section in the report; all others are listed in `more`."""


Row = Mapping[str, Any]


def read_figures(folder: Path) -> Figures:
    """Reads the figures of the run in a folder.

    Raises:
      InputError: if the folder has no database.
    """
    file = folder / DATABASE_FILE
    if not file.exists():
        raise InputError(f"{folder} has no {DATABASE_FILE}; give the folder of a finished run")
    with duckdb.connect(str(file), read_only=True) as connection:
        return _Reader(connection).figures()


class _Reader:
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._measured: Rates | None = None
        # Materialized, because the view joins all windows even if a query needs only a few.
        connection.execute(
            "CREATE TEMP TABLE reported AS FROM ratios WHERE granularity = 'period' "
            "OR (granularity = 'day' AND breakdown = 'overall' AND facet = 'use')"
        )

    def figures(self) -> Figures:
        period = self._period()
        is_exhaustive = period is not None and period.is_exhaustive
        measured = self._measured = _measured(period)
        ratios = self._ratios(self._rows(f"FROM reported WHERE {_OVERALL}"), is_exhaustive)
        uses = ratios.shares("use", USES)
        coherent = correct_uses(uses, measured)
        changes = {
            row["conversation_group"]: row
            for row in self._rows(f"FROM sentiment_change WHERE {_OVERALL}")
        }
        return Figures(
            period=period,
            affective=ratios.share("use", AFFECTIVE),
            types=ratios.shares("type", TYPES),
            types_of_affective=ratios.shares("type", AFFECTIVE_TYPES, whole="use"),
            uses=coherent or uses,
            lengths=ratios.shares("length", LENGTHS),
            long=ratios.shares("long", GROUPS),
            changes=[_change(changes.get(group), group, is_exhaustive) for group in GROUPS],
            pushback=ratios.shares("pushback", (ALL, *PUSHBACK_TYPES)),
            reasons=ratios.shares("pushback_reason", PUSHBACK_REASONS),
            headline_drift=ratios.headline_drift("drift_headline"),
            headline_drift_long=ratios.headline_drift("drift_long_headline"),
            measured_drift=None if measured is None else measured.drift,
            more=[
                FacetShares(facet, ratios.shares(facet.name, facet.values))
                for facet in FACETS
                if facet.name not in _IN_SECTIONS
            ],
            breakdowns=[self._breakdown(name, is_exhaustive) for name in BREAKDOWN_NAMES[1:]],
            days=self._days(is_exhaustive),
            hours=self._hours(is_exhaustive),
            ledger=self._tuples("SELECT account, reason, sum(records) FROM ledger GROUP BY ALL"),
            dead_letters=self._tuples(
                "SELECT stage, reason, count(*) FROM dead_letters GROUP BY ALL "
                "ORDER BY 3 DESC, 1, 2"
            ),
            rates=[
                Rate(*row)
                for row in self._tuples(
                    "SELECT facet, facet_value, language, true_positives, positives, "
                    "false_positives, negatives FROM classifier_rates_latest "
                    "WHERE classifier_version IN (SELECT classifier_version FROM aggregates_latest)"
                    " ORDER BY classifier_version, facet DESC, facet_value, language"
                )
            ],
            unsupported=sorted(measured.unsupported) if measured else [],
            are_uses_coherent=coherent is not None,
        )

    def _ratios(self, rows: Iterable[Row], is_exhaustive: bool) -> _Ratios:
        return _Ratios(rows, is_exhaustive, self._measured)

    def _tuples(self, sql: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
        return rows

    def _rows(self, sql: str) -> list[Row]:
        cursor = self._connection.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]

    def _period(self) -> Period | None:
        (row,) = self._rows(
            "SELECT sum(conversations) FILTER (facet = 'all' AND breakdown = 'overall') AS total, "
            "count(DISTINCT window_start) AS days, min(window_start) AS first, "
            "max(window_start) AS last, max(min_users) AS min_users, "
            "max(min_conversations) AS min_conversations, "
            "list_sort(list(DISTINCT metrics_version)) AS metrics, "
            "list_sort(list(DISTINCT classifier_version)) AS classifiers "
            "FROM aggregates_latest WHERE granularity = 'day'"
        )
        if not row["days"]:
            return None
        return Period(
            conversations=int(row["total"] or 0),
            days=row["days"],
            first=row["first"].date(),
            last=row["last"].date(),
            min_users=row["min_users"],
            min_conversations=row["min_conversations"],
            metrics_versions=row["metrics"],
            classifier_versions=row["classifiers"],
        )

    def _breakdown(self, name: str, is_exhaustive: bool) -> Breakdown:
        where = f"WHERE granularity = 'period' AND breakdown = '{name}'"
        counts = self._tuples(
            f"SELECT breakdown_value, conversations FROM cells {where} AND facet = 'all' "
            "ORDER BY conversations DESC, breakdown_value"
        )
        by_value: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self._rows(f"FROM reported {where} AND whole_facet = 'all'"):
            by_value[row["breakdown_value"]].append(row)
        named = [(value, n) for value, n in counts if value != NOT_PUBLISHED]
        if name == LENGTH_BREAKDOWN:
            named.sort(key=lambda item: LENGTHS.index(item[0]))
        values = []
        for value, conversations in named[:MAX_BREAKDOWN_VALUES]:
            ratios = self._ratios(by_value[value], is_exhaustive)
            shares = (ratios.share(*facet) for facet in _BREAKDOWN_FACETS)
            values.append(Value(value, conversations, *shares))
        not_published = sum(n for value, n in counts if value == NOT_PUBLISHED)
        return Breakdown(name, _LABELS[name], values, len(named) - len(values), not_published)

    def _days(self, is_exhaustive: bool) -> list[Day]:
        totals = dict(self._tuples("SELECT window_start::DATE, conversations FROM daily_totals"))
        by_day: defaultdict[date, list[Row]] = defaultdict(list)
        for row in self._rows("FROM reported WHERE granularity = 'day'"):
            by_day[row["window_start"].date()].append(row)
        if not totals:
            return []
        first, last = min(totals), max(totals)
        every = (first + timedelta(days=n) for n in range((last - first).days + 1))
        return [
            Day(
                day,
                totals.get(day, 0 if is_exhaustive else None),
                self._ratios(by_day[day], is_exhaustive).share("use", AFFECTIVE)
                if day in totals
                else Share(AFFECTIVE),
            )
            for day in every
        ]

    def _hours(self, is_exhaustive: bool) -> list[int | None]:
        totals = dict(
            self._tuples(
                "SELECT hour(window_start), sum(conversations) FROM cells "
                "WHERE granularity = 'hour' AND breakdown = 'overall' AND facet = 'all' "
                "GROUP BY ALL"
            )
        )
        return [totals.get(hour, 0 if is_exhaustive else None) for hour in range(_HOURS)]


class _Ratios:
    """Finds rows of the view `ratios` by facet, within one window and one breakdown value."""

    def __init__(self, rows: Iterable[Row], is_exhaustive: bool, measured: Rates | None) -> None:
        self._rows: dict[tuple[str, str, str], Row] = {}
        self._is_exhaustive = is_exhaustive
        self._measured = measured
        for row in rows:
            self._rows[row["facet"], row["facet_value"], row["whole_facet"]] = row

    def share(self, facet: str, name: str, whole: str | None = None) -> Share:
        """Returns a value's share of `whole`.

        If `whole` is None, the facet's usual denominator is used instead.
        """
        row = self._rows.get((facet, name, whole or _whole_facet(facet, name)))
        if row is None:
            return Share(name, conversations=0) if self._is_exhaustive else Share(name)
        return _share(row, self._measured)

    def shares(self, facet: str, names: Iterable[str], whole: str | None = None) -> list[Share]:
        """Returns the shares of some values of a facet, in the given order."""
        return [self.share(facet, name, whole) for name in names]

    def headline_drift(self, facet: str) -> HeadlineDrift:
        """Returns how many conversations turn from coaching or counseling to companionship."""
        row = self._rows.get((facet, "companionship", facet))
        if row is None:
            count = 0 if self._is_exhaustive else None
            return HeadlineDrift(Share(facet, conversations=count), None)
        return HeadlineDrift(_share(row, None), row["withheld"])


def _whole_facet(facet: str, name: str) -> str:
    share_of = BY_NAME[facet].share_of
    if share_of is ShareOf.GROUP and name != ALL:
        return "use" if name == AFFECTIVE else "type"
    return "pushback" if share_of is ShareOf.PUSHBACK else "all"


def _measured(period: Period | None) -> Rates | None:
    """Returns what was measured of the run's classifier; None if it used several."""
    versions = period.classifier_versions if period else ()
    return load_measured(versions[0]) if len(versions) == 1 else None


def _share(row: Row, measured: Rates | None) -> Share:
    whole, withheld = row["whole_conversations"], row["withheld"]
    return Share(
        name=row["facet_value"],
        conversations=row["conversations"],
        whole=None if whole is None else int(whole),
        share=row["raw_share"],
        low=row["share_low"],
        high=row["share_high"],
        is_lower_bound=row["raw_share"] is not None and withheld != 0,
        days=row["days"],
        corrected=row["corrected_share"],
        corrected_low=row["corrected_low"],
        corrected_high=row["corrected_high"],
        is_counted=row["facet"] == "length" or (row["facet"], row["facet_value"]) == ("long", ALL),
        is_supported=is_supported(row, measured),
    )


def _change(row: Row | None, group: str, is_exhaustive: bool) -> Change:
    if row is None:
        return Change(group, conversations=0) if is_exhaustive else Change(group)
    return Change(
        name=group,
        conversations=row["conversations"],
        mean=row["mean_change"],
        low=row["change_low"],
        high=row["change_high"],
        deviation=row["sd_change"],
    )
