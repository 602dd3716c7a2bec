"""Give: values that are known when the job is built."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import apache_beam as beam

ValueT = TypeVar("ValueT")


class CreateValues(beam.PTransform[Any, Any]):
    """Gives some values, once, in the global window.

    Out: the values, of the type said. Guarantees: step names that outlive an update of Beam; those
    of `beam.Create` hold a line number of Beam's own code.

    Args:
      values: what to give.
      type_: of each.
    """

    def __init__(self, values: Iterable[ValueT], type_: Any) -> None:
        super().__init__()
        self._values = list(values)
        self._type = type_

    def expand(self, root: Any) -> beam.PCollection[Any]:
        return (
            root
            | "Once" >> beam.Impulse()
            | "Values" >> beam.FlatMap(_given, self._values).with_output_types(self._type)
        )


def _given(_: bytes, values: list[ValueT]) -> list[ValueT]:
    return values
