"""Channels, credentials, deadlines, retries, paging and resumed streams."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from time import monotonic
from typing import Protocol, TypeVar

import grpc
import grpc.aio

from spanloop._connect import ClientOptions, Endpoints, Tls, channel_options
from spanloop._status import from_rpc_error
from spanloop.annotation.v1.agreement_service_pb2_grpc import (
    AgreementServiceStub as AgreementStub,
)
from spanloop.annotation.v1.annotation_service_pb2_grpc import (
    AnnotationServiceStub as AnnotationStub,
)
from spanloop.annotation.v1.history_service_pb2_grpc import HistoryServiceStub as HistoryStub
from spanloop.annotation.v1.labeling_service_pb2_grpc import LabelingServiceStub as LabelingStub
from spanloop.annotation.v1.member_service_pb2_grpc import MemberServiceStub as MemberStub
from spanloop.annotation.v1.rule_service_pb2_grpc import RuleServiceStub as RuleStub
from spanloop.annotation.v1.suggestion_service_pb2_grpc import (
    SuggestionServiceStub as SuggestionStub,
)
from spanloop.errors import SpanloopError
from spanloop.inference.v1.inference_service_pb2_grpc import InferenceServiceStub as InferenceStub
from spanloop.registry.v1.governance_service_pb2_grpc import (
    GovernanceServiceStub as GovernanceStub,
)
from spanloop.registry.v1.registry_service_pb2_grpc import RegistryServiceStub as RegistryStub
from spanloop.registry.v1.server_service_pb2_grpc import ServerServiceStub as ServerStub
from spanloop.registry.v1.trial_service_pb2_grpc import TrialServiceStub as TrialStub
from spanloop.trainer.v1.resource_service_pb2_grpc import ResourceServiceStub as ResourceStub
from spanloop.trainer.v1.trainer_service_pb2_grpc import TrainerServiceStub as TrainerStub
from spanloop.trainer.v1.training_group_service_pb2_grpc import (
    TrainingGroupServiceStub as GroupStub,
)
from spanloop.trainer.v1.training_report_service_pb2_grpc import (
    TrainingReportServiceStub as ReportStub,
)
from spanloop.trainer.v1.training_script_service_pb2_grpc import (
    TrainingScriptServiceStub as ScriptStub,
)
from spanloop.trainer.v1.training_settings_service_pb2_grpc import (
    TrainingSettingsServiceStub as SettingsStub,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from spanloop.annotation.v1.agreement_service_pb2_grpc import AgreementServiceAsyncStub
    from spanloop.annotation.v1.annotation_service_pb2_grpc import AnnotationServiceAsyncStub
    from spanloop.annotation.v1.history_service_pb2_grpc import HistoryServiceAsyncStub
    from spanloop.annotation.v1.labeling_service_pb2_grpc import LabelingServiceAsyncStub
    from spanloop.annotation.v1.member_service_pb2_grpc import MemberServiceAsyncStub
    from spanloop.annotation.v1.rule_service_pb2_grpc import RuleServiceAsyncStub
    from spanloop.annotation.v1.suggestion_service_pb2_grpc import SuggestionServiceAsyncStub
    from spanloop.inference.v1.inference_service_pb2_grpc import InferenceServiceAsyncStub
    from spanloop.registry.v1.governance_service_pb2_grpc import GovernanceServiceAsyncStub
    from spanloop.registry.v1.registry_service_pb2_grpc import RegistryServiceAsyncStub
    from spanloop.registry.v1.server_service_pb2_grpc import ServerServiceAsyncStub
    from spanloop.registry.v1.trial_service_pb2_grpc import TrialServiceAsyncStub
    from spanloop.trainer.v1.resource_service_pb2_grpc import ResourceServiceAsyncStub
    from spanloop.trainer.v1.trainer_service_pb2_grpc import TrainerServiceAsyncStub
    from spanloop.trainer.v1.training_group_service_pb2_grpc import (
        TrainingGroupServiceAsyncStub,
    )
    from spanloop.trainer.v1.training_report_service_pb2_grpc import (
        TrainingReportServiceAsyncStub,
    )
    from spanloop.trainer.v1.training_script_service_pb2_grpc import (
        TrainingScriptServiceAsyncStub,
    )
    from spanloop.trainer.v1.training_settings_service_pb2_grpc import (
        TrainingSettingsServiceAsyncStub,
    )


_STUBS = (
    *("annotation", "labeling", "members", "history", "agreement", "rules", "suggestions"),
    *("trainer", "groups", "settings", "reports", "resources", "scripts"),
    *("registry", "governance", "trials", "servers", "inference"),
)


class Described(Protocol):
    """A message descriptor, of whichever protobuf runtime."""

    @property
    def full_name(self) -> str: ...


class Request(Protocol):
    """A request message; buf's rules make it `<package>.<Method>Request`."""

    @property
    def DESCRIPTOR(self) -> Described: ...  # noqa: N802 - protobuf's name


class PagedRequest(Request, Protocol):
    """A request of a list method."""

    page_size: int
    page_token: str


class PagedResponse(Protocol):
    """An answer of a list method."""

    @property
    def next_page_token(self) -> str: ...


Q = TypeVar("Q", bound=Request)
QPaged = TypeVar("QPaged", bound=PagedRequest)
R = TypeVar("R")
RPaged = TypeVar("RPaged", bound=PagedResponse)
T = TypeVar("T")


class AsyncTransport:
    """The channels of one client, opened at first use."""

    def __init__(
        self,
        endpoints: Endpoints,
        token: str | None,
        tls: Tls | None,
        options: ClientOptions,
        user: str = "",
    ) -> None:
        self.options = options
        self._endpoints = endpoints
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        if user:
            self._metadata = (*self._metadata, ("spanloop-user", user))
        self._tls = tls
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._opening = threading.Lock()
        self.annotation: AnnotationServiceAsyncStub
        self.labeling: LabelingServiceAsyncStub
        self.members: MemberServiceAsyncStub
        self.history: HistoryServiceAsyncStub
        self.agreement: AgreementServiceAsyncStub
        self.rules: RuleServiceAsyncStub
        self.suggestions: SuggestionServiceAsyncStub
        self.trainer: TrainerServiceAsyncStub
        self.groups: TrainingGroupServiceAsyncStub
        self.settings: TrainingSettingsServiceAsyncStub
        self.reports: TrainingReportServiceAsyncStub
        self.resources: ResourceServiceAsyncStub
        self.scripts: TrainingScriptServiceAsyncStub
        self.registry: RegistryServiceAsyncStub
        self.governance: GovernanceServiceAsyncStub
        self.trials: TrialServiceAsyncStub
        self.servers: ServerServiceAsyncStub
        self.inference: InferenceServiceAsyncStub

    def __getattr__(self, name: str) -> object:
        """Make a stub at its first use: grpc.aio channels belong to the loop that is running."""
        match name:
            case "annotation":
                self.annotation = AnnotationStub(self.channel(name))
            case "labeling":
                self.labeling = LabelingStub(self.channel("annotation"))
            case "members":
                self.members = MemberStub(self.channel("annotation"))
            case "history":
                self.history = HistoryStub(self.channel("annotation"))
            case "agreement":
                self.agreement = AgreementStub(self.channel("annotation"))
            case "rules":
                self.rules = RuleStub(self.channel("annotation"))
            case "suggestions":
                self.suggestions = SuggestionStub(self.channel("annotation"))
            case "trainer":
                self.trainer = TrainerStub(self.channel(name))
            case "groups":
                self.groups = GroupStub(self.channel("trainer"))
            case "settings":
                self.settings = SettingsStub(self.channel("trainer"))
            case "reports":
                self.reports = ReportStub(self.channel("trainer"))
            case "resources":
                self.resources = ResourceStub(self.channel("trainer"))
            case "scripts":
                self.scripts = ScriptStub(self.channel("trainer"))
            case "registry":
                self.registry = RegistryStub(self.channel(name))
            case "governance":
                self.governance = GovernanceStub(self.channel("registry"))
            case "trials":
                self.trials = TrialStub(self.channel("registry"))
            case "servers":
                self.servers = ServerStub(self.channel("registry"))
            case "inference":
                self.inference = InferenceStub(self.channel(name))
            case _:
                raise AttributeError(name)
        return self.__dict__[name]

    def channel(self, service: str) -> grpc.aio.Channel:
        """Return the channel to a service."""
        with self._opening:
            found = self._channels.get(service)
            if found is None:
                target: str = getattr(self._endpoints, service)
                settings = channel_options(self.options, self._tls)
                if self._tls is None:
                    found = grpc.aio.insecure_channel(target, settings)
                else:
                    found = grpc.aio.secure_channel(target, self._tls.credentials(), settings)
                self._channels[service] = found
            return found

    async def close(self) -> None:
        """Close all channels; calls under way fail."""
        for stub in _STUBS:
            self.__dict__.pop(stub, None)
        for service, channel in list(self._channels.items()):
            del self._channels[service]
            await channel.close()

    async def unary(
        self,
        call: grpc.aio.UnaryUnaryMultiCallable[Q, R],
        request: Q,
        *,
        timeout: float | None = None,
        repeat: bool = True,
    ) -> R:
        """Make a call; while the service is UNAVAILABLE, the very same request is repeated.

        Args:
            call: The method of a stub.
            request: What is sent, each time; creating requests carry a request id.
            timeout: Seconds for all attempts together; None means the client's default.
            repeat: Whether a repeat is harmless when the first attempt did reach the service.
        """
        deadline = monotonic() + (self.options.timeout if timeout is None else timeout)
        attempt = 0
        while True:
            attempt += 1
            try:
                return await call(
                    request, timeout=max(deadline - monotonic(), 0.001), metadata=self._metadata
                )
            except grpc.aio.AioRpcError as error:
                failure = self.failure(error, request)
                pause = self.options.retry.pause(attempt, failure.retry_after)
                if (
                    not repeat
                    or failure.code is not grpc.StatusCode.UNAVAILABLE
                    or attempt >= self.options.retry.attempts
                    or monotonic() + pause >= deadline
                ):
                    raise failure from error
            await asyncio.sleep(pause)

    async def pages(
        self,
        call: grpc.aio.UnaryUnaryMultiCallable[QPaged, RPaged],
        request: QPaged,
        entries: Callable[[RPaged], Iterable[T]],
        timeout: float | None,
    ) -> AsyncIterator[T]:
        """Yield the entries of all pages; `timeout` bounds each page."""
        request.page_size = self.options.page_size
        while True:
            response = await self.unary(call, request, timeout=timeout)
            for entry in entries(response):
                yield entry
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token

    async def upload(
        self,
        call: grpc.aio.StreamUnaryMultiCallable[Q, R],
        requests: Iterator[Q],
        like: Q,
        timeout: float | None,
    ) -> R:
        """Send a stream of requests for one answer; never repeated. `like` names the method."""
        limit = self.options.transfer_timeout if timeout is None else timeout
        try:
            return await call(requests, timeout=limit, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise self.failure(error, like) from error

    async def download(
        self,
        call: grpc.aio.UnaryStreamMultiCallable[Q, R],
        request: Q,
        timeout: float | None,
    ) -> AsyncIterator[R]:
        """Yield the messages of a finite stream; opened again only while it has sent nothing."""
        limit = self.options.transfer_timeout if timeout is None else timeout
        attempt = 0
        while True:
            attempt += 1
            stream = call(request, timeout=limit, metadata=self._metadata)
            try:
                async for message in stream:
                    attempt = self.options.retry.attempts
                    yield message
            except grpc.aio.AioRpcError as error:
                failure = self.failure(error, request)
                if (
                    failure.code is not grpc.StatusCode.UNAVAILABLE
                    or attempt >= self.options.retry.attempts
                ):
                    raise failure from error
            else:
                return
            finally:
                stream.cancel()
            await asyncio.sleep(self.options.retry.pause(attempt, failure.retry_after))

    async def watch(
        self, call: grpc.aio.UnaryStreamMultiCallable[Q, R], request: Q
    ) -> AsyncIterator[R]:
        """Yield the messages of a watch until it ends with OK, reopening it when it breaks.

        The caller keeps `request.resume_token` up to date: the request is sent as it is then. Once
        something was received, reopening is tried for `retry.watch_seconds` without a message.
        """
        retry = self.options.retry
        heard: float | None = None
        attempt = 0
        while True:
            stream = call(request, metadata=self._metadata)
            try:
                async for message in stream:
                    heard, attempt = monotonic(), 0
                    yield message
            except grpc.aio.AioRpcError as error:
                attempt += 1
                failure = self.failure(error, request)
                lost = (
                    attempt >= retry.attempts
                    if heard is None
                    else monotonic() - heard > retry.watch_seconds
                )
                if failure.code is not grpc.StatusCode.UNAVAILABLE or lost:
                    raise failure from error
            else:
                return
            finally:
                stream.cancel()
            await asyncio.sleep(retry.pause(attempt, failure.retry_after))

    async def health(self, service: str, timeout: float) -> str:
        """Return what `grpc.health.v1` says of a service: `serving`, `not_serving` or `unknown`."""
        # The two messages have one field each: packaged stubs would be one more dependency.
        check = self.channel(service).unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=bytes,
            response_deserializer=bytes,
        )
        try:
            answer = await check(b"", timeout=timeout)
        except grpc.aio.AioRpcError as error:
            target: str = getattr(self._endpoints, service)
            raise from_rpc_error(error, "/grpc.health.v1.Health/Check", target) from error
        return {b"\x08\x01": "serving", b"\x08\x02": "not_serving"}.get(answer, "unknown")

    def failure(self, error: grpc.aio.AioRpcError, request: Request) -> SpanloopError:
        """Return the exception for a failed call."""
        package, _, message = request.DESCRIPTOR.full_name.rpartition(".")
        service = package.split(".")[1]
        method = f"/{package}.{service.title()}Service/{message.removesuffix('Request')}"
        return from_rpc_error(error, method, getattr(self._endpoints, service))
