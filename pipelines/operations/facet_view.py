"""Generates the SQL of the view `facets`; run this module to write the file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from transforms.facets.registry import FACETS

VIEW: Final = Path(__file__).parents[2] / "schemas" / "views" / "facets.sql"

_OPENING: Final = """\
-- The facets: what each is a share of, how that share is corrected, and what it means.
-- Generated from transforms/facets by `make generate`.
-- Source: transforms/facets.
"""


def facet_view() -> str:
    """Returns the view's SQL: one row per facet."""
    rows = (
        f"SELECT\n  {_quoted(facet.name)} AS facet,\n  {_quoted(facet.share_of)} AS share_of,\n"
        f"  {_quoted(facet.correction)} AS correction,\n"
        f"  {_quoted(facet.definition)} AS definition\n"
        for facet in FACETS
    )
    return _OPENING + "UNION ALL\n".join(rows)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def main() -> None:
    """Writes the view."""
    VIEW.write_text(facet_view(), "utf-8")


if __name__ == "__main__":
    main()
