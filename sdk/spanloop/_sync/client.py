"""The client of all four services."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from spanloop._connect import ClientOptions, Endpoints, Tls, discover_token
from spanloop._sync.annotation import AnnotationCalls
from spanloop._sync.automation import AutomationCalls
from spanloop._sync.data import DataCalls
from spanloop._sync.engines import EngineCalls
from spanloop._sync.governance import GovernanceCalls
from spanloop._sync.inference import InferenceCalls
from spanloop._sync.registry import RegistryCalls
from spanloop._sync.reports import ReportCalls
from spanloop._sync.scripts import ScriptCalls
from spanloop._sync.selection import SelectionCalls
from spanloop._sync.servers import ServerCalls
from spanloop._sync.suggestions import SuggestionCalls
from spanloop._sync.team import TeamCalls
from spanloop._sync.tools import ToolCalls
from spanloop._sync.training import TrainingCalls
from spanloop._sync.transport import Transport
from spanloop._sync.trials import TrialCalls


class Client(
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
        self._transport = Transport(
            self.endpoints,
            discover_token(token, data=data_dir),
            tls or Tls.discover(),
            options or ClientOptions(),
            user,
        )

    def health(self, service: str, *, timeout: float = 5.0) -> str:
        """Return a service's health: `serving`, `not_serving` or `unknown`; needs no token.

        Args:
            service: `annotation`, `trainer`, `registry` or `inference`.
            timeout: Seconds.

        Raises:
            Unavailable: When nobody answers at the service's address.
        """
        return self._transport.health(service, timeout)

    def close(self) -> None:
        """Close the connections; calls under way fail. The client can be used again after it."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
