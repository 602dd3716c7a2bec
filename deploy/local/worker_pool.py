"""A pool of Python workers: `python -m deploy.local.worker_pool HOST:PORT`.

Beam's own worker pool listens on all interfaces. This pool listens only on the given address. So
two pools can use the same port on two addresses, and no pool can be reached from the network.
"""

from __future__ import annotations

import sys

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance


def serve(address: str) -> None:
    """Starts and stops worker processes at a runner's request, until the pool is killed."""
    # This fails if the port is in use. Otherwise two pools would share it and split the requests.
    server = grpc.server(shared_unbounded_instance(), options=[("grpc.so_reuseport", 0)])
    pool = BeamFnExternalWorkerPoolServicer(use_process=True, data_buffer_time_limit_ms=-1)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve(sys.argv[1])
