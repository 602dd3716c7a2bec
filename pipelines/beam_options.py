"""Beam's own options: what a run on this machine, and a job on a cluster, tells Beam."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Final

from apache_beam.options.pipeline_options import (
    DirectOptions,
    GoogleCloudOptions,
    PipelineOptions,
    StandardOptions,
)
from apache_beam.runners.runner import PipelineRunner

from pipelines.local_runner import LocalRunner
from schemas.failures import InputError

_LARGE_INPUT_BYTES: Final = 20_000_000
_LONG_ENCODER_S: Final = 10.0
"""From this work of the sentence encoder on, it pays to start a process for each core."""
_RUNNERS_WITH_FLAGS_OF_THEIR_OWN: Final = ("FlinkRunner", "PortableRunner", "SparkRunner")


class JavaPubSubOptions(PipelineOptions):
    """Flags that give the Java source the address of a Pub/Sub emulator.

    Beam's own option for this address does not reach Java. The job server identifies each option by
    its `dest`, and reads a `dest` in snake case as its own option in camel case.
    """

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--java_pubsub_url", dest="pubsub_root_url")
        parser.add_argument("--java_credentials", dest="credential_factory_class")


def beam_options(flags: Sequence[str], **defaults: object) -> PipelineOptions:
    """Returns Beam's own options from the flags that are not ours.

    An unknown flag is an error here. Beam would ignore it, even if it is a mistyped threshold. An
    unknown flag is allowed in two cases. A portable runner's job server knows flags that Beam does
    not know. A template's launcher adds its own flags, and Dataflow has already checked ours
    against the metadata.

    Raises:
      InputError: if neither Undertone nor Beam knows a flag.
    """
    options = PipelineOptions(list(flags), **defaults)
    known = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    for group in sorted(_option_groups(PipelineOptions), key=lambda cls: cls.__name__):
        group._add_argparse_args(known)
    _, unknown = known.parse_known_args(list(flags))
    knows_more = (
        options.view_as(StandardOptions).runner in _RUNNERS_WITH_FLAGS_OF_THEIR_OWN
        or options.view_as(GoogleCloudOptions).template_location
    )
    if unknown and not knows_more:
        raise InputError(f"neither Undertone nor Beam has a flag {unknown[0]}; see --help")
    return options


def local_flags(flags: Sequence[str], input_bytes: int, encoder_s: float = 0.0) -> list[str]:
    """Returns Beam's flags for a local run, which uses all cores for much work.

    A runner or number of workers that the caller chose is kept. One process per core takes about
    three seconds to start and then works at nearly twice the speed. With one process or many, the
    tables are the same to the byte.

    Args:
      flags: Beam's flags that the caller chose.
      input_bytes: size of the input.
      encoder_s: how long the sentence encoder would read in one process, in seconds.
    """
    cores = os.cpu_count() or 1
    is_little = input_bytes < _LARGE_INPUT_BYTES and encoder_s < _LONG_ENCODER_S
    if _names_workers(flags) or cores == 1 or is_little:
        return list(flags)
    return [*flags, f"--direct_num_workers={cores}", "--direct_running_mode=multi_processing"]


def local_workers(flags: Sequence[str]) -> int | None:
    """Returns how many workers a local run may have; None if the flags name a runner."""
    options = beam_options(flags)
    if options.view_as(StandardOptions).runner:
        return None
    if _names_workers(flags):
        workers: int = options.view_as(DirectOptions).direct_num_workers
        return max(1, workers)
    return os.cpu_count() or 1


def bounded_runner(options: PipelineOptions) -> PipelineRunner | None:
    """Returns the in-process runner, or None if the flags name a runner.

    Beam's default, DirectRunner, is not used, because its choice of an engine depends on the
    machine.

    Raises:
      InputError: if the flags ask for zero workers.
    """
    if options.view_as(StandardOptions).runner:
        return None
    if options.view_as(DirectOptions).direct_num_workers == 0:
        raise InputError("direct_num_workers must be at least 1, got 0; leave it out for 1")
    return LocalRunner()


def _names_workers(flags: Sequence[str]) -> bool:
    return any(flag.startswith(("--runner", "--direct_")) for flag in flags)


def _option_groups(cls: type[PipelineOptions]) -> set[type[PipelineOptions]]:
    """Returns the subclasses of an option class that add flags, at any depth."""
    below = {c for s in cls.__subclasses__() for c in ({s} | _option_groups(s))}
    return {c for c in below if "_add_argparse_args" in vars(c)}
