"""Generates artificial conversations for which every measure is known in advance."""

from pipelines.simulator.settings import SimulationSettings
from pipelines.simulator.stream import simulate
from pipelines.simulator.truth import Truth
from pipelines.simulator.write import SimulationSummary, write_simulation

__all__ = ["SimulationSettings", "SimulationSummary", "Truth", "simulate", "write_simulation"]
