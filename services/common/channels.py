"""Channels to the other services."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from grpc import aio

from services.common.auth import load_or_create_token
from services.common.call import current_call, deadline_exceeded
from services.common.errors import InternalError, Reason, SpanloopError, UnavailableError
from services.common.grpc_status import ReceivedError, error_class, received_error
from services.common.interceptors.client import client_interceptors
from services.common.logs import get_logger
from services.common.settings import ServiceSettings

_log = get_logger(__name__)

# Refusals that a peer gave for what was asked of it: they mean the same to our own caller.
_PASSED_ON = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DATA_LOSS,
    }
)
_AWAY = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
    }
)
# Methods whose contract says that a repeat changes nothing.
_IDEMPOTENT = ("Get", "List", "Predict", "Register", "Verify", "WritePredictions")


@dataclass(frozen=True, kw_only=True)
class PeerSettings:
    """How to reach another service.

    Attributes:
        address: ``host:port`` or any gRPC target.
        token: Bearer token to show; empty: none.
        tls_ca: PEM certificates that sign the peer's; None: no TLS.
        tls_cert: PEM certificate chain to show, with `tls_key`; None: none.
        tls_key: PEM private key.
        max_message_bytes: Largest message.
        default_timeout: Seconds that unary calls without a timeout may take.
    """

    address: str
    token: str = ""
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    max_message_bytes: int = 16 * 1024 * 1024
    default_timeout: float = 60.0

    @staticmethod
    def of(settings: ServiceSettings, address: str) -> PeerSettings:
        """Return how a service with `settings` reaches the peer at `address`.

        Raises:
            TokenFileError: The token file cannot be used.
        """
        token = settings.token.get_secret_value() if settings.token else ""
        return PeerSettings(
            address=address,
            token=token or load_or_create_token(settings.token_path),
            tls_ca=settings.peer_tls_ca,
            tls_cert=settings.peer_tls_cert,
            tls_key=settings.peer_tls_key,
            max_message_bytes=settings.max_message_bytes,
            default_timeout=settings.default_deadline_seconds,
        )


def open_peer(settings: ServiceSettings | PeerSettings, address: str = "") -> aio.Channel:
    """Return a channel to another service; close it (``async with``) when done.

    Calls carry the token, the trace and the request id of the call under way, and never outlive
    its deadline. Calls that may be repeated are, on UNAVAILABLE only. The channel connects when it
    is first used, and again whenever the connection is lost.

    Args:
        settings: Those of the calling service, or a peer's.
        address: The peer's, when `settings` are those of the calling service.

    Raises:
        TokenFileError: The token file cannot be used.
        OSError: A certificate cannot be read.
    """
    peer = PeerSettings.of(settings, address) if isinstance(settings, ServiceSettings) else settings
    interceptors = client_interceptors(peer.token, peer.default_timeout)
    options: list[tuple[str, int | str]] = [
        ("grpc.max_receive_message_length", peer.max_message_bytes * 2),
        ("grpc.max_send_message_length", peer.max_message_bytes),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        # A service that comes back must be found again soon, not after minutes of backoff.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        ("grpc.service_config", service_config()),
        # Peers stand next to us: a proxy of the environment is for the internet.
        ("grpc.enable_http_proxy", 0),
    ]
    if peer.tls_ca is None:
        return aio.insecure_channel(peer.address, options=options, interceptors=interceptors)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=peer.tls_ca.read_bytes(),
        private_key=peer.tls_key.read_bytes() if peer.tls_key else None,
        certificate_chain=peer.tls_cert.read_bytes() if peer.tls_cert else None,
    )
    return aio.secure_channel(peer.address, credentials, options=options, interceptors=interceptors)


@contextmanager
def peer_errors(peer_name: str) -> Iterator[None]:
    """Turn failed calls to a peer inside the block into this project's errors.

    Raises:
        SpanloopError: The peer's own refusal, with its reason, when it is about what was asked;
            PEER_UNAVAILABLE when the peer cannot be reached or is too slow; DEADLINE_EXCEEDED when
            the caller's deadline passed meanwhile; else INTERNAL.
    """
    try:
        yield
    except aio.AioRpcError as error:
        raise _translate(peer_name, received_error(error)) from error
    except asyncio.CancelledError:
        # gRPC sometimes cancels a call that begins when its deadline has passed instead of failing
        # it. Nobody asked our task to end then.
        task = asyncio.current_task()
        if current_call().remaining() == 0.0 and task is not None and not task.cancelling():
            raise deadline_exceeded() from None
        raise


def _translate(peer_name: str, received: ReceivedError) -> SpanloopError:
    if received.code in _PASSED_ON and received.reason is not None:
        metadata = {key: value for key, value in received.metadata.items() if key != "request_id"}
        return error_class(received.code)(
            received.reason,
            received.message,
            metadata=metadata,
            violations=received.violations,
            retry_after=received.retry_after,
        )
    # Without a reason it is gRPC itself that failed, which it may do as INTERNAL when the deadline
    # passes while a stream sends.
    by_grpc = received.code is grpc.StatusCode.DEADLINE_EXCEEDED or received.reason is None
    if by_grpc and current_call().remaining() == 0.0:
        return deadline_exceeded()
    if received.code in _AWAY:
        _log.warning("peer_unavailable", peer=peer_name, code=received.code.name)
        return UnavailableError(
            Reason.PEER_UNAVAILABLE,
            f"The {peer_name} service cannot be reached just now.",
            metadata={"peer": peer_name},
            retry_after=received.retry_after or 1.0,
        )
    _log.error("peer_failed", peer=peer_name, code=received.code.name, message=received.message)
    return InternalError(
        Reason.INTERNAL,
        f"The {peer_name} service failed; the logs hold it under the request id.",
        metadata={"peer": peer_name},
    )


def service_config() -> str:
    """Return gRPC's service config: which methods are retried, and how."""
    names = [
        {"service": service.full_name, "method": method.name}
        for file in _contracts()
        for service in file.services_by_name.values()
        for method in service.methods
        if may_be_repeated(method)
    ]
    policy = {
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "2s",
        "backoffMultiplier": 3,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return json.dumps(
        {
            "methodConfig": [{"name": names, "retryPolicy": policy}],
            "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.2},
        }
    )


def may_be_repeated(method: MethodDescriptor) -> bool:
    """Whether sending the same bytes twice does no harm.

    Services always send a `request_id` where there is one, so that a repeat is recognised.
    """
    if method.client_streaming or method.server_streaming:
        return False
    return method.name.startswith(_IDEMPOTENT) or "request_id" in method.input_type.fields_by_name


def _contracts() -> list[FileDescriptor]:
    from spanloop.annotation.v1 import annotation_service_pb2
    from spanloop.inference.v1 import inference_service_pb2
    from spanloop.registry.v1 import registry_service_pb2
    from spanloop.trainer.v1 import trainer_service_pb2

    return [
        annotation_service_pb2.DESCRIPTOR,
        trainer_service_pb2.DESCRIPTOR,
        registry_service_pb2.DESCRIPTOR,
        inference_service_pb2.DESCRIPTOR,
    ]
