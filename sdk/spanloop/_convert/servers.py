"""Messages of the registry's server service."""

from __future__ import annotations

from spanloop._convert import basic
from spanloop._types import servers as types
from spanloop.registry.v1 import server_pb2
from spanloop.registry.v1 import server_service_pb2 as pb


def server(message: server_pb2.InferenceServer) -> types.InferenceServer:
    """Return an inference server."""
    return types.InferenceServer(
        name=message.name,
        device=basic.enum_from(types.Device, server_pb2.Device, "DEVICE_", message.device),
        report_time=basic.time_from(message.report_time, message.HasField("report_time")),
        expire_time=basic.time_from(message.expire_time, message.HasField("expire_time")),
    )


def choice(message: pb.ChooseTrunkPrecisionResponse) -> types.PrecisionChoice:
    """Return what the registry chooses."""
    return types.PrecisionChoice(
        precision=message.precision,
        reason=message.reason,
        cpu_servers=message.cpu_servers,
        cuda_servers=message.cuda_servers,
    )
