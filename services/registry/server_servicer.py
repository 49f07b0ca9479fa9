"""ServerService: converts messages and delegates to the handlers."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from services.registry import server_convert as convert
from services.registry.handlers.servers import Servers
from spanloop.registry.v1 import server_service_pb2 as pb
from spanloop.registry.v1 import server_service_pb2_grpc


class ServerServicer(server_service_pb2_grpc.ServerServiceServicer):
    """The methods are documented in ``server_service.proto``."""

    def __init__(self, servers: Servers) -> None:
        """Delegate to the given handler."""
        self._servers = servers

    async def ReportServer(
        self, request: pb.ReportServerRequest, context: object
    ) -> pb.ReportServerResponse:
        report = convert.report_of(request)
        server = await self._servers.report(report.id, report.device, report.lifetime)
        return pb.ReportServerResponse(server=convert.server_message(server))

    async def RemoveServer(
        self, request: pb.RemoveServerRequest, context: object
    ) -> pb.RemoveServerResponse:
        await self._servers.remove(convert.server_id_of(request.name, "name"))
        return pb.RemoveServerResponse()

    async def ListServers(
        self, request: pb.ListServersRequest, context: object
    ) -> pb.ListServersResponse:
        servers, token = await self._servers.page(request.page_size, request.page_token)
        return pb.ListServersResponse(
            servers=map(convert.server_message, servers), next_page_token=token
        )

    async def ChooseTrunkPrecision(
        self, request: pb.ChooseTrunkPrecisionRequest, context: object
    ) -> pb.ChooseTrunkPrecisionResponse:
        return convert.choice_message(await self._servers.choose())
