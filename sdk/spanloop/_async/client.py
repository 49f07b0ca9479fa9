"""The client of all four services."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from spanloop._async.annotation import AnnotationCalls
from spanloop._async.automation import AutomationCalls
from spanloop._async.data import DataCalls
from spanloop._async.engines import EngineCalls
from spanloop._async.governance import GovernanceCalls
from spanloop._async.inference import InferenceCalls
from spanloop._async.registry import RegistryCalls
from spanloop._async.reports import ReportCalls
from spanloop._async.scripts import ScriptCalls
from spanloop._async.selection import SelectionCalls
from spanloop._async.servers import ServerCalls
from spanloop._async.suggestions import SuggestionCalls
from spanloop._async.team import TeamCalls
from spanloop._async.tools import ToolCalls
from spanloop._async.training import TrainingCalls
from spanloop._async.transport import AsyncTransport
from spanloop._async.trials import TrialCalls
from spanloop._connect import ClientOptions, Endpoints, Tls, discover_token


class AsyncClient(
    AnnotationCalls,
    DataCalls,
    SelectionCalls,
    TeamCalls,
    ToolCalls,
    SuggestionCalls,
    TrainingCalls,
    AutomationCalls,
    ReportCalls,
    EngineCalls,
    ScriptCalls,
    RegistryCalls,
    GovernanceCalls,
    TrialCalls,
    ServerCalls,
    InferenceCalls,
):
    """A client of all four services; use it in a `with` block of its kind, or close it.

    Nothing is connected before the first call. Reads, creating calls (which carry a request id
    that the client mints) and other harmless calls are repeated while a service is UNAVAILABLE;
    every call has a deadline. All failures of calls are `spanloop.errors.SpanloopError`.

    Args:
        endpoints: Addresses of the services; None: `Endpoints.discover(data_dir)`.
        token: Bearer token; None: SPANLOOP_TOKEN, the file SPANLOOP_TOKEN_FILE, or the file `token`
            in the data directory, in this order.
        user: Whom the client acts for, with the services' shared token; a user's own access token
            needs none.
        data_dir: Data directory of services on this machine; None: SPANLOOP_DATA_DIR or `./data`.
        tls: TLS towards the services; None: `Tls.discover()`, i.e. none unless the environment
            names an authority. The token travels in clear text without it.
        options: Deadlines, retries, limits.

    Raises:
        ConfigurationError: When the token, the addresses or a TLS file cannot be read.
    """

    def __init__(
        self,
        *,
        endpoints: Endpoints | None = None,
        token: str | None = None,
        user: str = "",
        data_dir: Path | str | None = None,
        tls: Tls | None = None,
        options: ClientOptions | None = None,
    ) -> None:
        self.endpoints = endpoints or Endpoints.discover(data_dir)
        self._transport = AsyncTransport(
            self.endpoints,
            discover_token(token, data=data_dir),
            tls or Tls.discover(),
            options or ClientOptions(),
            user,
        )

    async def health(self, service: str, *, timeout: float = 5.0) -> str:
        """Return a service's health: `serving`, `not_serving` or `unknown`; needs no token.

        Args:
            service: `annotation`, `trainer`, `registry` or `inference`.
            timeout: Seconds.

        Raises:
            Unavailable: When nobody answers at the service's address.
        """
        return await self._transport.health(service, timeout)

    async def close(self) -> None:
        """Close the connections; calls under way fail. The client can be used again after it."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
