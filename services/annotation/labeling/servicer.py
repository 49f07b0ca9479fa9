"""LabelingService: converts messages and delegates to the handler."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from services.annotation.labeling import convert
from services.annotation.labeling.handler import Labeling
from services.annotation.members.gate import Gate
from services.annotation.names import project_of
from spanloop.annotation.v1 import labeling_service_pb2 as pb
from spanloop.annotation.v1 import labeling_service_pb2_grpc


class LabelingServicer(labeling_service_pb2_grpc.LabelingServiceServicer):
    """The methods are documented in ``labeling_service.proto``."""

    def __init__(self, labeling: Labeling, gate: Gate) -> None:
        """Delegate to the given handler."""
        self._labeling = labeling
        self._gate = gate

    async def ValidateLabelingConfig(
        self, request: pb.ValidateLabelingConfigRequest, context: object
    ) -> pb.ValidateLabelingConfigResponse:
        project = project_of(request.parent)
        await self._gate.enter("ValidateLabelingConfig", project)
        found = await self._labeling.validate(
            project, request.labeling_config, convert.models_of(request)
        )
        return convert.validated_message(found)

    async def AssignModels(
        self, request: pb.AssignModelsRequest, context: object
    ) -> pb.AssignModelsResponse:
        project = project_of(request.parent)
        await self._gate.enter("AssignModels", project)
        config, changed = await self._labeling.assign_models(
            project, dict(request.label_models), dict(request.choices_models)
        )
        return pb.AssignModelsResponse(changed=changed, labeling_config=config)
