"""Where the services are and how to talk to them: addresses, token, TLS, deadlines, retries."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import grpc

from spanloop.errors import ConfigurationError

ENDPOINTS_FILE = "endpoints.json"
TOKEN_FILE = "token"  # noqa: S105 - a file name


def data_dir(argument: Path | str | None = None, env: Mapping[str, str] = os.environ) -> Path:
    """Return the data directory: the argument, else SPANLOOP_DATA_DIR, else `./data`."""
    return Path(argument) if argument else Path(env.get("SPANLOOP_DATA_DIR") or "data")


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """The addresses (`host:port`) of the four services."""

    annotation: str = "127.0.0.1:50051"
    trainer: str = "127.0.0.1:50052"
    registry: str = "127.0.0.1:50053"
    inference: str = "127.0.0.1:50054"

    @classmethod
    def discover(
        cls, data: Path | str | None = None, env: Mapping[str, str] = os.environ
    ) -> Endpoints:
        """Return the addresses to use without further advice.

        Each is taken from `SPANLOOP_<SERVICE>_ADDRESS`, else from `endpoints.json` in the data
        directory (written by `spanloop up`), else it is the default port on this machine.

        Raises:
            ConfigurationError: When `endpoints.json` cannot be read.
        """
        found = _read_endpoints(data_dir(data, env) / ENDPOINTS_FILE)
        for service in SERVICES:
            address = env.get(f"SPANLOOP_{service.upper()}_ADDRESS")
            if address:
                found = replace(found, **{service: address})
        return found

    def items(self) -> list[tuple[str, str]]:
        """Return (service, address) of all four, in their usual order."""
        return [(service, str(getattr(self, service))) for service in SERVICES]


SERVICES = tuple(field.name for field in fields(Endpoints))
"""The names of the services, in the order in which they are shown."""


def _read_endpoints(path: Path) -> Endpoints:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Endpoints()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read ({error}): delete it.") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} does not hold addresses: delete it.")
    return Endpoints(
        **{name: value for name in SERVICES if isinstance(value := document.get(name), str)}
    )


def discover_token(
    argument: str | None = None,
    *,
    data: Path | str | None = None,
    env: Mapping[str, str] = os.environ,
) -> str | None:
    """Return the bearer token: the argument, else SPANLOOP_TOKEN, else the content of the file
    SPANLOOP_TOKEN_FILE, else of `<data directory>/token`; None when there is none of them.

    Raises:
        ConfigurationError: When a token file exists (or was named) but cannot be read.
    """  # noqa: D205 - the order of search is the summary
    given = argument or env.get("SPANLOOP_TOKEN")
    if given:
        return given.strip()
    named = env.get("SPANLOOP_TOKEN_FILE")
    path = Path(named) if named else data_dir(data, env) / TOKEN_FILE
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError as error:
        if named:
            raise ConfigurationError(f"SPANLOOP_TOKEN_FILE: {path} does not exist.") from error
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The token file {path} cannot be read ({error}).") from error


@dataclass(frozen=True, kw_only=True)
class Tls:
    """TLS towards the services; with `cert` and `key` (PEM files) the client proves itself too.

    Attributes:
        ca: PEM file of the authorities to trust; None: those of the system.
        server_name: Name expected in the server's certificate, if not that of the address.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    server_name: str = ""

    @classmethod
    def discover(cls, env: Mapping[str, str] = os.environ) -> Tls | None:
        """Return the TLS of SPANLOOP_PEER_TLS_CA, _CERT and _KEY; None when no CA is named."""
        ca, cert, key = (env.get(f"SPANLOOP_PEER_TLS_{part}") for part in ("CA", "CERT", "KEY"))
        if not ca:
            return None
        return cls(ca=Path(ca), cert=Path(cert) if cert else None, key=Path(key) if key else None)

    def credentials(self) -> grpc.ChannelCredentials:
        """Return the channel credentials.

        Raises:
            ConfigurationError: When a file cannot be read, or only one of cert and key is given.
        """
        if (self.cert is None) is not (self.key is None):
            raise ConfigurationError("TLS: give both a client certificate and its key, or none.")
        return grpc.ssl_channel_credentials(
            root_certificates=_read_pem(self.ca),
            private_key=_read_pem(self.key),
            certificate_chain=_read_pem(self.cert),
        )


def _read_pem(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"TLS: {path} cannot be read ({error}).") from error


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How calls that are safe to repeat are repeated while a service is UNAVAILABLE.

    Attributes:
        attempts: Most attempts of one call, the first included; 1 turns retries off.
        initial_seconds: Upper bound of the first pause; each further one is twice as long.
        maximum_seconds: Upper bound of any pause.
        watch_seconds: How long a watch keeps reconnecting without receiving anything.
    """

    attempts: int = 4
    initial_seconds: float = 0.2
    maximum_seconds: float = 2.0
    watch_seconds: float = 120.0

    def pause(self, attempt: int, told: float | None) -> float:
        """Return the seconds to wait after the failed `attempt` (from 1), at least those told."""
        bound = min(self.maximum_seconds, self.initial_seconds * 2.0 ** min(attempt - 1, 30))
        return max(told or 0.0, bound * random.uniform(0.5, 1.0))  # noqa: S311 - jitter


@dataclass(frozen=True, kw_only=True)
class ClientOptions:
    """Settings of a client.

    Attributes:
        timeout: Deadline in seconds of a call that is given none, over all its attempts.
        transfer_timeout: The same for whole imports, exports and snapshot reads.
        retry: Repeating calls.
        page_size: Resources fetched at once by the list methods.
        max_message_bytes: Largest message accepted.
    """

    timeout: float = 60.0
    transfer_timeout: float = 3600.0
    retry: RetryPolicy = RetryPolicy()
    page_size: int = 200
    max_message_bytes: int = 64 * 1024 * 1024


def channel_options(options: ClientOptions, tls: Tls | None) -> list[tuple[str, str | int]]:
    """Return the gRPC channel arguments."""
    found: list[tuple[str, str | int]] = [
        ("grpc.max_receive_message_length", options.max_message_bytes),
        ("grpc.max_send_message_length", options.max_message_bytes),
        # The SDK repeats calls itself, with the same request id and a bound of its own.
        ("grpc.enable_retries", 0),
        # A restarted service is found again quickly.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        # Finds dead peers under long streams; servers send heartbeats far more often than this.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        # Loopback and cluster addresses are never meant for a proxy of the environment.
        ("grpc.enable_http_proxy", 0),
    ]
    if tls is not None and tls.server_name:
        found.append(("grpc.ssl_target_name_override", tls.server_name))
    return found
