"""Scripted stand-ins of the four services behind a real gRPC server, for the SDK and the CLI."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from spanloop import Endpoints
from spanloop.annotation.v1 import annotation_service_pb2, annotation_service_pb2_grpc
from spanloop.inference.v1 import inference_service_pb2, inference_service_pb2_grpc
from spanloop.registry.v1 import (
    governance_service_pb2,
    governance_service_pb2_grpc,
    registry_service_pb2,
    registry_service_pb2_grpc,
    server_service_pb2,
    server_service_pb2_grpc,
    trial_service_pb2,
    trial_service_pb2_grpc,
)
from spanloop.trainer.v1 import (
    resource_service_pb2,
    resource_service_pb2_grpc,
    trainer_service_pb2,
    trainer_service_pb2_grpc,
    training_group_service_pb2,
    training_group_service_pb2_grpc,
    training_report_service_pb2,
    training_report_service_pb2_grpc,
    training_script_service_pb2,
    training_script_service_pb2_grpc,
    training_settings_service_pb2,
    training_settings_service_pb2_grpc,
)

Answer = Callable[[object, grpc.ServicerContext], object]
TOKEN = "sesame"

_FILES = {
    "AnnotationService": (annotation_service_pb2, annotation_service_pb2_grpc),
    "TrainerService": (trainer_service_pb2, trainer_service_pb2_grpc),
    "TrainingGroupService": (training_group_service_pb2, training_group_service_pb2_grpc),
    "TrainingSettingsService": (
        training_settings_service_pb2,
        training_settings_service_pb2_grpc,
    ),
    "TrainingReportService": (training_report_service_pb2, training_report_service_pb2_grpc),
    "ResourceService": (resource_service_pb2, resource_service_pb2_grpc),
    "TrainingScriptService": (training_script_service_pb2, training_script_service_pb2_grpc),
    "RegistryService": (registry_service_pb2, registry_service_pb2_grpc),
    "GovernanceService": (governance_service_pb2, governance_service_pb2_grpc),
    "TrialService": (trial_service_pb2, trial_service_pb2_grpc),
    "ServerService": (server_service_pb2, server_service_pb2_grpc),
    "InferenceService": (inference_service_pb2, inference_service_pb2_grpc),
}


@dataclass
class Fake:
    """What the fake services answer, and what they were asked.

    `answers` maps a method's name to a function of (request, context) that returns the response, or
    an iterator of them for a stream.
    """

    endpoints: Endpoints = field(default_factory=Endpoints)
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[str, Message]] = field(default_factory=list)
    metadata: list[Mapping[str, str]] = field(default_factory=list)

    def asked(self, method: str) -> list[Message]:
        """Return the requests of one method, in order."""
        return [request for name, request in self.requests if name == method]


def refuse(
    context: grpc.ServicerContext,
    code: grpc.StatusCode,
    message: str,
    *,
    reason: str = "",
    metadata: Mapping[str, str] | None = None,
    violations: Mapping[str, str] | None = None,
    retry_seconds: float = 0.0,
    domain: str = "spanloop.dev",
) -> None:
    """End a call with an error that carries google.rpc details, as the services' errors do."""
    details: list[Message] = []
    if reason:
        details.append(
            error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata or {})
        )
    if violations:
        bad = error_details_pb2.BadRequest()
        for name, description in violations.items():
            bad.field_violations.add(field=name, description=description)
        details.append(bad)
    if retry_seconds:
        delay = Duration(seconds=int(retry_seconds), nanos=round(retry_seconds % 1 * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, message)


@contextmanager
def fake_services() -> Iterator[Fake]:
    """Serve all four fakes on one free port of loopback."""
    fake = Fake()
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    for title, (messages, stubs) in _FILES.items():
        descriptor = messages.DESCRIPTOR.services_by_name[title]
        servicer = type("Servicer", (), {})()
        for method in descriptor.methods:
            setattr(servicer, method.name, _handler(fake, method.name, method.client_streaming))
        getattr(stubs, f"add_{title}Servicer_to_server")(servicer, server)
    checks = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    checks.set("", health_pb2.HealthCheckResponse.SERVING)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    fake.endpoints = Endpoints(
        annotation=address, trainer=address, registry=address, inference=address
    )
    server.start()
    try:
        yield fake
    finally:
        server.stop(None).wait()


def _handler(fake: Fake, name: str, uploads: bool) -> Answer:
    def handle(request: object, context: grpc.ServicerContext) -> object:
        fake.metadata.append({key: str(value) for key, value in context.invocation_metadata()})
        if fake.metadata[-1].get("authorization") != f"Bearer {TOKEN}":
            refuse(
                context,
                grpc.StatusCode.UNAUTHENTICATED,
                "The token is not accepted.",
                reason="CREDENTIALS_INVALID",
            )
        if uploads:
            request = list(request)  # type: ignore[call-overload]
            fake.requests.extend((name, part) for part in request)
        else:
            assert isinstance(request, Message)
            fake.requests.append((name, request))
        answer = fake.answers.get(name)
        if answer is None:
            refuse(context, grpc.StatusCode.UNIMPLEMENTED, f"{name} is not scripted")
        assert answer is not None
        return answer(request, context)

    return handle
