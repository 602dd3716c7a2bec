"""`undertone judge`: have a sample of a run's conversations judged."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.commands.judging.plan import add_plan_arguments, plan
from pipelines.terminal.progress import say
from schemas.failures import InputError

if TYPE_CHECKING:
    from pipelines.judges.interface import Judge
    from pipelines.judging.folder import JudgedFolder, Transcripts
    from schemas.judged import SampleRow


def add_judge(commands: Any) -> None:
    """Adds the command to the command line."""
    from pipelines.judges.registry import add_judge_arguments  # noqa: PLC0415
    from pipelines.options import add_secret_argument, add_switch  # noqa: PLC0415
    from pipelines.publishing.options import add_rates_argument  # noqa: PLC0415

    parser = commands.add_parser(
        "judge",
        allow_abbrev=False,
        help="have a sample of a run's conversations judged, and estimate with it",
        description="Chooses some of the conversations that a run counted, and has them "
        "judged by someone or something better than the classifier. Then it publishes the run "
        "again: each figure combines the judged sample with the counts of all conversations. Text "
        "is read from the archive; no file gets it. If it is interrupted, start it again: nothing "
        "is judged twice.",
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="output folder of `undertone run`"
    )
    parser.add_argument(
        "--input",
        action="append",
        metavar="PATTERN",
        help="the files of events that the run counted. May be repeated",
    )
    parser.add_argument(
        "--judgements",
        type=int,
        default=500,
        metavar="500",
        help="judge at most this many conversations of the run (default 500)",
    )
    parser.add_argument(
        "--validate",
        type=Path,
        metavar="FILE",
        help="first compare the judge with the labels in this file, which people gave to "
        "conversations of the sample. A judge that agrees too little is refused",
    )
    add_switch(parser, "--accept_poor_judge", "with --validate, do not refuse any judge")
    parser.add_argument(
        "--truth",
        type=Path,
        metavar="FILE",
        help="for simulated conversations: the truth.parquet that undertone simulate wrote, to "
        "print it beside the figures",
    )
    add_secret_argument(
        parser,
        "It must be the one that the run used. Without this flag, it is the secret in your "
        "configuration folder",
    )
    add_rates_argument(parser, "those that the run was published with")
    add_judge_arguments(parser, is_required=False)
    add_plan_arguments(parser)
    parser.set_defaults(command=_judge)


def _judge(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    if arguments.plan:
        plan(arguments)
        return
    _check_given(arguments)
    from pipelines.judges.registry import ChosenJudge, may_change  # noqa: PLC0415
    from pipelines.judging.folder import Counted, Transcripts, opened  # noqa: PLC0415
    from pipelines.local import republish  # noqa: PLC0415
    from pipelines.options import secret_loader  # noqa: PLC0415
    from pipelines.publishing.rates import given_rates  # noqa: PLC0415
    from pipelines.report.page import REPORT_FILE, summary_lines  # noqa: PLC0415
    from pipelines.report.truth import comparison_lines, read_truth  # noqa: PLC0415
    from pipelines.settings import wall_clock_us  # noqa: PLC0415
    from pipelines.terminal.full_disk import writing_to  # noqa: PLC0415
    from pipelines.terminal.progress import told  # noqa: PLC0415

    folder: Path = arguments.folder
    counted = Counted.read(folder)
    rates = None if arguments.rates is None else given_rates(arguments.rates)
    chosen = ChosenJudge(arguments)
    judge = chosen()
    pseudonyms = secret_loader(arguments)()
    transcripts = Transcripts(arguments.input, pseudonyms, counted)
    with told(say), writing_to(folder):
        with opened(folder) as judged:
            budget = arguments.judgements
            sample = judged.choose_sample(budget, wall_clock_us(), pseudonyms.key_id)
            if arguments.validate is not None:
                _validate(judged, sample, transcripts, judge, arguments)
            say(f"judging {len(sample):,} conversations with {judge.name} {judge.version} …")
            tally = judged.judge(
                sample, transcripts, judge, wall_clock_us, may_change=may_change(chosen.name)
            )
        republish(folder, counted.policy, wall_clock_us(), rates)
    lines = summary_lines(folder)
    if arguments.truth is not None:
        lines = comparison_lines(folder, read_truth(arguments.truth))
    for line in lines:
        print(line)
    print(tally)
    print(f"report: {folder / REPORT_FILE}")


def _check_given(arguments: argparse.Namespace) -> None:
    """Checks for the flags that only a plan can do without."""
    needed = {"FOLDER": arguments.folder, "--input": arguments.input, "--judge": arguments.judge}
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise InputError(
            f"undertone judge needs {', '.join(missing)}; only --plan does without: see "
            "undertone judge --help"
        )


def _validate(
    judged: JudgedFolder,
    sample: Sequence[SampleRow],
    transcripts: Transcripts,
    judge: Judge,
    arguments: argparse.Namespace,
) -> None:
    """Prints how far the judge agrees with people's labels.

    Raises:
      InputError: if it agrees too little, unless `--accept_poor_judge` is given.
    """
    from pipelines.judges.registry import labels_judge  # noqa: PLC0415
    from pipelines.judging.validation import LEAST_KAPPA, validate  # noqa: PLC0415
    from pipelines.settings import wall_clock_us  # noqa: PLC0415

    labels = labels_judge(arguments.validate, transcripts.pseudonyms)
    agreement = validate(judged, sample, transcripts, judge, labels, wall_clock_us)
    for line in agreement.lines():
        print(line)
    if not arguments.accept_poor_judge:
        agreement.refuse_below(LEAST_KAPPA)
    judged.accept()
