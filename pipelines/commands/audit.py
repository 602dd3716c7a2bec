"""`undertone audit`: attack what was published."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.commands.shared import add_tables_arguments, query_of


def add_audit(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "audit",
        allow_abbrev=False,
        help="attack what was published, to see what it tells about single people",
        description="Attacks all versions of all publications, as an analyst could who wants to "
        "learn about single people. Where the exact counts can be read, it compares with the "
        "truth. Exits with code 4 if an attack gets further than docs/privacy.md promises.",
    )
    add_tables_arguments(parser)
    parser.add_argument(
        "--known_id",
        type=Path,
        metavar="FILE",
        help="ids of users, conversations or events, one a line, to be looked for in all tables, "
        "plain and hashed",
    )
    parser.add_argument(
        "--without_truth",
        action="store_true",
        help="do not read the exact counts: attack with what analysts can read",
    )
    parser.set_defaults(command=_audit)


def _audit(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.operations.audit.attack import attack, audit_lines  # noqa: PLC0415
    from pipelines.operations.audit.failure import AuditFailedError  # noqa: PLC0415
    from pipelines.operations.audit.inventory import table_names  # noqa: PLC0415
    from pipelines.operations.audit.judged.words import JOURNAL, journal_of  # noqa: PLC0415
    from pipelines.operations.audit.tables import (  # noqa: PLC0415
        evidence_of,
        read_published,
        read_restricted,
    )

    query = query_of(arguments)
    known_ids = _known_ids(arguments.known_id)
    published = read_published(query)
    restricted = None if arguments.without_truth else read_restricted(query)
    others = dict(restricted.others) if restricted else {}
    if restricted and arguments.folder:
        others[JOURNAL] = journal_of(arguments.folder)
    audit = attack(
        evidence_of(published, restricted),
        published,
        table_names(arguments.folder, query),
        others,
        known_ids,
        is_shared=arguments.folder is None,
    )
    print("\n".join(audit_lines(audit)))
    if audit.findings:
        raise AuditFailedError(len(audit.findings))


def _known_ids(path: Path | None) -> list[str]:
    from schemas.failures import InputError  # noqa: PLC0415

    if path is None:
        return []
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text; write one id a line") from None
    return [line.strip() for line in lines if line.strip()]
