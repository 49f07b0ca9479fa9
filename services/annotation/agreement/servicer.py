"""AgreementService: converts messages and delegates to the handler."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from services.annotation.agreement import convert
from services.annotation.agreement.handler import Agreement
from services.annotation.convert.selections import filter_of
from services.annotation.members.gate import Gate
from services.annotation.names import project_of
from spanloop.annotation.v1 import agreement_service_pb2 as pb
from spanloop.annotation.v1 import agreement_service_pb2_grpc


class AgreementServicer(agreement_service_pb2_grpc.AgreementServiceServicer):
    """The methods are documented in ``agreement_service.proto``."""

    def __init__(self, agreement: Agreement, gate: Gate) -> None:
        """Delegate to the given handler."""
        self._agreement = agreement
        self._gate = gate

    async def ComputeAgreement(
        self, request: pb.ComputeAgreementRequest, context: object
    ) -> pb.ComputeAgreementResponse:
        project = project_of(request.parent)
        await self._gate.enter("ComputeAgreement", project)
        found = await self._agreement.compute(
            project,
            filter_of(request.filter, project),
            list(request.authors),
            list(request.labels),
        )
        return convert.compared_message(found)
