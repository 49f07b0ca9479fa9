"""Calls about the inference servers that there are."""

from __future__ import annotations

from collections.abc import Iterator

from spanloop import types
from spanloop._convert import servers as convert
from spanloop._sync.transport import Transport
from spanloop.registry.v1 import server_service_pb2 as pb


class ServerCalls:
    """Inference servers, and the precision of trunks that fits them."""

    _transport: Transport

    def list_servers(self, *, timeout: float | None = None) -> Iterator[types.InferenceServer]:
        """Iterate over the inference servers that reported to the registry and are there."""
        return self._transport.pages(
            self._transport.servers.ListServers,
            pb.ListServersRequest(),
            lambda page: map(convert.server, page.servers),
            timeout,
        )

    def choose_trunk_precision(self, *, timeout: float | None = None) -> types.PrecisionChoice:
        """Tell in which precision a training that begins now and names none reads its trunk."""
        response = self._transport.unary(
            self._transport.servers.ChooseTrunkPrecision,
            pb.ChooseTrunkPrecisionRequest(),
            timeout=timeout,
        )
        return convert.choice(response)
