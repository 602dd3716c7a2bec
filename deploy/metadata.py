"""Writes the Flex Templates' metadata from the programs' parsers: `make generate`.

Dataflow refuses a parameter that the metadata does not name, so every flag must be in it. The
exceptions are in `LEFT_OUT`, each with its reason.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pipelines import backfill, judge, publish, stream
from pipelines.judges.registry import ACCURATE, LLM
from pipelines.settings import CLASSIFIERS

FOLDER: Final = Path(__file__).with_name("templates")

LEFT_OUT: Final[Mapping[str, Mapping[str, str]]] = {
    "stream": {
        "bigquery_url": "Dataflow can't reach an emulator of BigQuery",
        "continue_run": "an update on Dataflow takes over the state and everything written by it",
        "expansion_service": "Dataflow reads Pub/Sub itself, without Beam's Java source",
    },
    "backfill": {
        "bigquery_url": "Dataflow can't reach an emulator of BigQuery",
        "days_a_job": "a launch starts one job, which counts all of its days",
        "dry_run": "to Dataflow a launch that starts no job has failed; use it at a shell",
    },
    "judge": {
        "bigquery_url": "Dataflow can't reach an emulator of BigQuery",
        "labels": "labels are in a file of whoever gave them; judge with them at a shell",
    },
    "publish": {
        "bigquery_url": "Dataflow can't reach an emulator of BigQuery",
        "withdraw": "to Dataflow a launch that starts no job has failed; use it at a shell",
    },
}
"""The flags that each template leaves out, each with its reason."""

_DURATION: Final = r"^[0-9]+(\.[0-9]+)?[smhd]$"
_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "duration": ("TEXT", _DURATION),
    "_switch": ("BOOLEAN", "^(true|false)$"),
    "float": ("NUMBER", r"^[0-9]+(\.[0-9]+)?$"),
    "int": ("NUMBER", "^[0-9]+$"),
}
"""The type and pattern of a parameter, by the name of the function that parses its flag."""

_DAY: Final = ("TEXT", r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]+d)$")
_TOPIC: Final = ("PUBSUB_TOPIC", "^projects/[^/]+/topics/[^/]+$")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "classifier": tuple(CLASSIFIERS),
    "judge": (ACCURATE, LLM),
    "llm_api": ("openai", "anthropic"),
}
"""The values of each flag that has only some."""

_SECRET: Final = ("TEXT", "^projects/[^/]+/secrets/[^/]+/versions/[0-9]+$")
_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "alert_topic": _TOPIC,
    **{name: ("ENUM", f"^({'|'.join(values)})$") for name, values in _CHOICES.items()},
    "dataset": ("TEXT", r"^.+\.[A-Za-z0-9_]+$"),
    "dead_letter_topic": _TOPIC,
    "from": _DAY,
    "input": ("TEXT", "^gs://[^,]+(,gs://[^,]+)*$"),
    "judge_key": _SECRET,
    "llm_model": ("TEXT", "^[^ ]+$"),
    "llm_url": ("TEXT", "^https?://[^ ]+$"),
    "rates": ("TEXT", r"^gs://[^,]+\.json$"),
    "secret": _SECRET,
    "subscription": ("PUBSUB_SUBSCRIPTION", "^projects/[^/]+/subscriptions/[^/]+$"),
    "timestamp_attribute": ("TEXT", "^[^ ]+$"),
    "to": _DAY,
    "values": ("TEXT", "^[a-z_]+=[^=;]+(;[a-z_]+=[^=;]+)*$"),
}
"""The type and pattern of a parameter, by its flag. These are the flags whose value is a name."""

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


@dataclass(frozen=True)
class Template:
    """A Flex Template.

    Attributes:
      name: name of the template's files and of the program's module.
      title: title in the Google Cloud console.
      parser: the program's parser.
      streaming: whether the job is a stream, which runs until it is drained.
    """

    name: str
    title: str
    parser: argparse.ArgumentParser
    streaming: bool


TEMPLATES: Final = (
    Template("stream", "Undertone: stream", stream.parser(), streaming=True),
    Template("backfill", "Undertone: backfill", backfill.parser(), streaming=False),
    Template("judge", "Undertone: judge", judge.parser(), streaming=False),
    Template("publish", "Undertone: publish", publish.parser(), streaming=False),
)


def flags_of(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Returns a parser's flags by name, in their order, without `--help`."""
    return {
        action.option_strings[-1].removeprefix("--"): action
        for action in parser._actions
        if action.option_strings and not isinstance(action, argparse._HelpAction)
    }


def metadata(template: Template) -> dict[str, Any]:
    """Returns a template's metadata in the form that `gcloud dataflow flex-template build` reads.

    Raises:
      ValueError: if neither `_TYPES` nor `_NAMES` has a pattern for a flag.
    """
    left_out = LEFT_OUT[template.name]
    flags = flags_of(template.parser).items()
    description = (template.parser.description or "").split(" Every other flag")[0]
    return {
        "name": template.title,
        "description": description,
        "streaming": template.streaming,
        "supportsAtLeastOnce": False,
        "supportsExactlyOnce": True,
        "parameters": [_parameter(name, flag) for name, flag in flags if name not in left_out],
    }


def encoded(value: object) -> str:
    """Returns a value as JSON, in the format of generated files."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write(templates: Iterable[Template] = TEMPLATES, folder: Path = FOLDER) -> None:
    """Writes the metadata files."""
    for template in templates:
        (folder / f"{template.name}.json").write_text(encoded(metadata(template)), "utf-8")


def _parameter(name: str, flag: argparse.Action) -> dict[str, Any]:
    kind, regex = _format(name, flag)
    parameter = {
        "name": name,
        "label": name.replace("_", " ").capitalize(),
        "helpText": _help(flag),
        "paramType": kind,
        "isOptional": not flag.required,
        "regexes": [regex],
    }
    if kind == "ENUM":
        parameter["enumOptions"] = [{"value": value, "label": value} for value in _CHOICES[name]]
    if flag.default not in {None, ""}:
        parameter["defaultValue"] = _text(flag.default)
    return parameter


def _format(name: str, flag: argparse.Action) -> tuple[str, str]:
    if name in _NAMES:
        return _NAMES[name]
    reader = getattr(flag.type, "__name__", "")
    if reader not in _TYPES:
        raise ValueError(
            f"--{name} has no pattern (its type is {reader or 'not given'}); add one to _TYPES or "
            "_NAMES in deploy/metadata.py"
        )
    return _TYPES[reader]


def _help(flag: argparse.Action) -> str:
    text = (flag.help or "").replace("%%", "%")
    return text[:1].upper() + text[1:] + "."


def _text(value: object) -> str:
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        return next(f"{seconds // size}{unit}" for unit, size in _UNITS if seconds % size == 0)
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    write()
