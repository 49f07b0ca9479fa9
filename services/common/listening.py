"""Where a server listens, with or without TLS."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

import grpc
from grpc import aio

from services.common.logs import get_logger
from services.common.settings import ServiceSettings, split_address

_log = get_logger(__name__)


class StartError(Exception):
    """The server cannot start as it is set up; the message says what to change."""


def server_options(settings: ServiceSettings) -> Sequence[tuple[str, int]]:
    """Return gRPC's options for a server."""
    return (
        # On by default: a second server on the same port would silently get half of the calls.
        ("grpc.so_reuseport", 0),
        # The chain refuses messages above the bound with a reason; gRPC's own limit, without one,
        # only keeps far larger ones out of memory.
        ("grpc.max_receive_message_length", settings.max_message_bytes * 2),
        ("grpc.max_send_message_length", -1),
        # Notices callers that vanished, and lets callers do the same.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    )


def bind(server: aio.Server, settings: ServiceSettings) -> str:
    """Make a server listen as set up; return ``host:port`` with the bound port.

    Raises:
        StartError: The address is taken or a certificate is unusable.
    """
    host, _ = split_address(settings.listen)
    credentials = _credentials(settings)
    try:
        if credentials is None:
            port = server.add_insecure_port(settings.listen)
        else:
            port = server.add_secure_port(settings.listen, credentials)
    except RuntimeError as error:
        cause = (
            "Is another process using it?"
            if credentials is None
            else ("Is another process using it, or is a certificate or key no PEM?")
        )
        raise StartError(
            f"listen: cannot listen on {settings.listen}. {cause} "
            f"SPANLOOP_{settings.service_name.upper()}_LISTEN sets another address."
        ) from error
    if credentials is None and not _is_loopback(host):
        _log.warning(
            "serving_without_tls",
            listen=settings.listen,
            advice="the bearer token crosses the network in the clear: set tls_cert and tls_key",
        )
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _credentials(settings: ServiceSettings) -> grpc.ServerCredentials | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    try:
        ca = settings.tls_client_ca.read_bytes() if settings.tls_client_ca else None
        pair = (settings.tls_key.read_bytes(), settings.tls_cert.read_bytes())
    except OSError as error:
        raise StartError(f"TLS: cannot read {error.filename} ({error.strerror}).") from error
    return grpc.ssl_server_credentials(
        [pair], root_certificates=ca, require_client_auth=ca is not None
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
