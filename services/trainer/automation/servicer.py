"""The gRPC faces of training settings and of groups: convert and delegate."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from functools import partial

from services.common.server import GrpcService
from services.trainer.automation.convert import (
    group_out,
    settings_in,
    settings_out,
    state_out,
    template_in,
    types_in,
)
from services.trainer.automation.groups import GroupHandlers
from services.trainer.automation.settings_handlers import SettingsHandlers
from services.trainer.convert import fingerprint_in, job_out
from spanloop.trainer.v1 import (
    training_group_service_pb2,
    training_group_service_pb2_grpc,
    training_settings_service_pb2,
    training_settings_service_pb2_grpc,
)

SETTINGS_SERVICE = "spanloop.trainer.v1.TrainingSettingsService"
GROUP_SERVICE = "spanloop.trainer.v1.TrainingGroupService"


class SettingsServicer(training_settings_service_pb2_grpc.TrainingSettingsServiceServicer):
    """spanloop.trainer.v1.TrainingSettingsService; see the proto for the contract."""

    def __init__(self, handlers: SettingsHandlers) -> None:
        """Delegate to `handlers`."""
        self._handlers = handlers

    async def GetTrainingSettings(
        self, request: training_settings_service_pb2.GetTrainingSettingsRequest, context: object
    ) -> training_settings_service_pb2.GetTrainingSettingsResponse:
        settings = await self._handlers.get(request.name)
        return training_settings_service_pb2.GetTrainingSettingsResponse(
            training_settings=settings_out(settings)
        )

    async def UpdateTrainingSettings(
        self, request: training_settings_service_pb2.UpdateTrainingSettingsRequest, context: object
    ) -> training_settings_service_pb2.UpdateTrainingSettingsResponse:
        message = request.training_settings
        settings = await self._handlers.update(
            message.name, settings_in(message), message.etag, list(request.update_mask.paths)
        )
        return training_settings_service_pb2.UpdateTrainingSettingsResponse(
            training_settings=settings_out(settings)
        )

    async def GetActiveLearningState(
        self, request: training_settings_service_pb2.GetActiveLearningStateRequest, context: object
    ) -> training_settings_service_pb2.GetActiveLearningStateResponse:
        state = await self._handlers.state(request.name)
        return training_settings_service_pb2.GetActiveLearningStateResponse(
            active_learning_state=state_out(state)
        )


class GroupServicer(training_group_service_pb2_grpc.TrainingGroupServiceServicer):
    """spanloop.trainer.v1.TrainingGroupService; see the proto for the contract."""

    def __init__(self, handlers: GroupHandlers) -> None:
        """Delegate to `handlers`."""
        self._handlers = handlers

    async def CreateTrainingGroup(
        self, request: training_group_service_pb2.CreateTrainingGroupRequest, context: object
    ) -> training_group_service_pb2.CreateTrainingGroupResponse:
        group, jobs = await self._handlers.create(
            request.parent,
            template_in(request.template),
            types_in(request.model_types),
            list(request.controls),
            request.request_id,
            fingerprint_in(request.template),
        )
        return training_group_service_pb2.CreateTrainingGroupResponse(
            training_group=group_out(group), training_jobs=map(job_out, jobs)
        )

    async def GetTrainingGroup(
        self, request: training_group_service_pb2.GetTrainingGroupRequest, context: object
    ) -> training_group_service_pb2.GetTrainingGroupResponse:
        group, jobs = await self._handlers.get(request.name)
        return training_group_service_pb2.GetTrainingGroupResponse(
            training_group=group_out(group), training_jobs=map(job_out, jobs)
        )


def grpc_services(settings: SettingsHandlers, groups: GroupHandlers) -> list[GrpcService]:
    """Return both services, to be served."""
    return [
        GrpcService(
            full_name=SETTINGS_SERVICE,
            register=partial(
                training_settings_service_pb2_grpc.add_TrainingSettingsServiceServicer_to_server,
                SettingsServicer(settings),
            ),
        ),
        GrpcService(
            full_name=GROUP_SERVICE,
            register=partial(
                training_group_service_pb2_grpc.add_TrainingGroupServiceServicer_to_server,
                GroupServicer(groups),
            ),
        ),
    ]
