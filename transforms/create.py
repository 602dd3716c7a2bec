"""Create: makes a collection from values that are known when the job is built."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import apache_beam as beam

ValueT = TypeVar("ValueT")


class CreateValues(beam.PTransform[Any, Any]):
    """Creates a collection of values that are known when the job is built.

    Out: each of the values once, of type `type_`.
    Windowing: the global window.
    Guarantees: the labels of its steps do not change when Beam is updated. The labels of
    `beam.Create` contain a line number of Beam's own code.

    Args:
      values: the values.
      type_: the type of each value.
    """

    def __init__(self, values: Iterable[ValueT], type_: Any) -> None:
        super().__init__()
        self._values = list(values)
        self._type = type_

    def expand(self, root: Any) -> beam.PCollection[Any]:
        return (
            root
            | "Once" >> beam.Impulse()
            | "Values" >> beam.FlatMap(_emit_values, self._values).with_output_types(self._type)
        )


def _emit_values(_: bytes, values: list[ValueT]) -> list[ValueT]:
    return values
