"""The judges by name, and their flags. A judge's module is imported only if the judge is chosen."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipelines.judges.interface import Judge
from pipelines.options import secret_loader
from pipelines.sources.secret import ManagedSecret
from schemas.failures import InputError
from transforms.conversation.pseudonyms import Pseudonyms

LABELS: Final = "labels"
ACCURATE: Final = "accurate"
LLM: Final = "llm"

LoadJudge = Callable[[], Judge]
"""Makes a judge. It can be pickled, but a judge need not be."""


def may_change(name: str) -> bool:
    """Tells whether a judge may change its mind, so that it is asked again in each run.

    People correct their labels, and label more conversations. Asking for labels costs nothing.
    """
    return name == LABELS


def add_judge_arguments(parser: argparse.ArgumentParser, *, is_required: bool = True) -> None:
    """Adds the flags that choose and describe a judge.

    Args:
      parser: the parser of the command.
      is_required: whether the command always needs a judge.
    """
    from pipelines.judges.llm.options import add_llm_arguments  # noqa: PLC0415

    parser.add_argument(
        "--judge",
        required=is_required,
        choices=tuple(_JUDGES),
        help="who judges: labels that people gave, in a file; accurate, the sentence encoder, "
        "which needs pip install 'undertone[accurate]'; or llm, a language model",
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="file of labels for the judge labels, as undertone label, Label Studio or Argilla "
        "write it",
    )
    parser.add_argument(
        "--judge_key",
        metavar="projects/…/versions/N",
        help="secret in Google Secret Manager with the key of the judge's endpoint. Without this "
        "flag, the key is in the environment of the process that judges",
    )
    add_llm_arguments(parser)


@dataclass(frozen=True)
class ChosenJudge:
    """Makes the judge that the flags describe.

    Attributes:
      arguments: the parsed flags, with those of `add_judge_arguments`.
    """

    arguments: argparse.Namespace

    @property
    def name(self) -> str:
        """The judge's name."""
        return str(self.arguments.judge)

    def __call__(self) -> Judge:
        """Makes the judge.

        Raises:
          InputError: if a flag is missing or out of range, or a library is not installed.
        """
        return _JUDGES[self.name](self.arguments)


def labels_judge(path: Path, pseudonyms: Pseudonyms) -> Judge:
    """Returns the judge that takes its labels from a file.

    Args:
      path: the file.
      pseudonyms: the secret that the sample was counted with.

    Raises:
      InputError: if the file can't be read, or a label is not valid.
    """
    from pipelines.judges.labels import LabelsJudge  # noqa: PLC0415

    return LabelsJudge(path, pseudonyms)


def _labels(arguments: argparse.Namespace) -> Judge:
    if not arguments.labels:
        raise InputError("the judge labels needs --labels, a file of labels")
    return labels_judge(Path(arguments.labels), secret_loader(arguments)())


def _accurate(_: argparse.Namespace) -> Judge:
    from pipelines.judges.accurate import load_accurate_judge  # noqa: PLC0415

    return load_accurate_judge()


def _llm(arguments: argparse.Namespace) -> Judge:
    from pipelines.judges.llm.options import llm_judge_of  # noqa: PLC0415

    if arguments.judge_key:
        # The clients read their key from the environment. No other process sees it there.
        key = ManagedSecret(arguments.judge_key).read().decode("ascii").strip()
        os.environ[_KEYS[arguments.llm_api]] = key
    return llm_judge_of(arguments)


_KEYS: Final = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
_JUDGES: Final[Mapping[str, Callable[[argparse.Namespace], Judge]]] = {
    LABELS: _labels,
    ACCURATE: _accurate,
    LLM: _llm,
}
