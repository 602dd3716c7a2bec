"""Give: values that are known when the job is built."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import apache_beam as beam

ValueT = TypeVar("ValueT")


class CreateValues(beam.PTransform[Any, Any]):
    """Gives some values, once, in the global window.

    Out: the values, of type `type_`. Guarantees: the step names do not change when Beam is updated.
    Those of `beam.Create` contain a line number of Beam's own code.

    Args:
      values: the values to give.
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
