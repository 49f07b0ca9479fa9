"""Inference servers: messages ↔ domain values."""

from __future__ import annotations

from dataclasses import dataclass

from services.common.errors import invalid_field
from services.common.names import parse_name
from services.common.times import to_timestamp
from services.common.validate import check_id, check_present, check_range
from services.registry.precision import Device, InferenceServer, PrecisionChoice
from spanloop.registry.v1 import server_pb2
from spanloop.registry.v1 import server_service_pb2 as pb

_LONGEST_SECONDS = 3600

_DEVICES = {server_pb2.DEVICE_CPU: Device.CPU, server_pb2.DEVICE_CUDA: Device.CUDA}
_DEVICE_VALUES = {value: key for key, value in _DEVICES.items()}


@dataclass(frozen=True, kw_only=True)
class ServerReport:
    """What a server says; `lifetime` in microseconds."""

    id: str
    device: Device
    lifetime: int


def report_of(request: pb.ReportServerRequest) -> ServerReport:
    """Return what a server says of itself."""
    device = _DEVICES.get(request.server.device)
    if device is None:
        raise invalid_field("server.device", "must be DEVICE_CPU or DEVICE_CUDA.")
    given = request.time_to_live if request.HasField("time_to_live") else None
    lifetime = check_present(given, "time_to_live")
    seconds = check_range(
        lifetime.seconds + lifetime.nanos / 1e9, "time_to_live", 1, _LONGEST_SECONDS
    )
    return ServerReport(
        id=server_id_of(request.server.name, "server.name"),
        device=device,
        lifetime=round(seconds * 1e6),
    )


def server_id_of(name: str, field: str) -> str:
    """Return the id in a server's name."""
    return check_id(parse_name("servers/{server}", name, field)["server"], field)


def server_message(server: InferenceServer) -> server_pb2.InferenceServer:
    """Return a server's message."""
    return server_pb2.InferenceServer(
        name=server.name,
        device=_DEVICE_VALUES[server.device],
        report_time=to_timestamp(server.report_time),
        expire_time=to_timestamp(server.expire_time),
    )


def choice_message(choice: PrecisionChoice) -> pb.ChooseTrunkPrecisionResponse:
    """Return what was chosen."""
    return pb.ChooseTrunkPrecisionResponse(
        precision=choice.precision,
        reason=choice.reason,
        cpu_servers=choice.servers[Device.CPU],
        cuda_servers=choice.servers[Device.CUDA],
    )
