"""A pool of Python workers: `python -m deploy.local.worker_pool HOST:PORT`.

Beam's own main for it listens on all interfaces. Here the address is given, so that two pools can
stand on one port of two addresses, and none stands open to a network.
"""

from __future__ import annotations

import sys

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance


def serve(address: str) -> None:
    """Starts and stops workers, a process each, as a runner asks; until it is ended."""
    # What the port does not give must fail: a second pool on it would take half of the workers.
    server = grpc.server(shared_unbounded_instance(), options=[("grpc.so_reuseport", 0)])
    pool = BeamFnExternalWorkerPoolServicer(use_process=True, data_buffer_time_limit_ms=-1)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve(sys.argv[1])
