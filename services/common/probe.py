"""Container health check: `python -m services.common.probe HOST:PORT`.

Exits 0 when the server there says SERVING, else 1 with the reason on stderr.
"""

from __future__ import annotations

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc


def probe(address: str, timeout: float = 3.0) -> str:
    """Return the name of the health status of a plaintext server, e.g. ``SERVING``.

    Args:
        address: ``host:port``.
        timeout: Seconds to wait for the answer.

    Returns:
        The status, or the gRPC status code's name when there was no answer.
    """
    with grpc.insecure_channel(address) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=timeout
            )
        except grpc.RpcError as error:
            return str(error.code().name)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def main() -> int:
    """Probe the address given on the command line."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m services.common.probe HOST:PORT\n")
        return 2
    status = probe(sys.argv[1])
    if status != "SERVING":
        sys.stderr.write(f"{sys.argv[1]}: {status}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
