"""Calls of the trainer about groups, training settings and active learning."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import uuid4

from google.protobuf.field_mask_pb2 import FieldMask

from spanloop import types
from spanloop._async.transport import AsyncTransport
from spanloop._convert import automation as convert
from spanloop._names import Named, name_of, project_name
from spanloop.trainer.v1 import training_group_service_pb2 as group_pb
from spanloop.trainer.v1 import training_settings_pb2
from spanloop.trainer.v1 import training_settings_service_pb2 as settings_pb


class AutomationCalls:
    """Groups of training jobs, and what a project does by itself."""

    _transport: AsyncTransport

    async def create_training_group(
        self,
        project: str | Named,
        *,
        template: types.TrainingTemplate | None = None,
        model_types: Iterable[types.ModelType | str] = (),
        controls: Iterable[str] = (),
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> types.TrainingGroup:
        """Queue a training job for every model of a project, all from one snapshot.

        Args:
            project: Id or name.
            template: What the jobs have in common; None: all completions, and the defaults.
            model_types: Only these; none: all that the project's annotations allow.
            controls: `Choices` controls to train; none: the default one.
            request_id: Identifies the request; minted when None.
            timeout: Seconds.
        """
        response = await self._transport.unary(
            self._transport.groups.CreateTrainingGroup,
            group_pb.CreateTrainingGroupRequest(
                parent=project_name(project),
                template=convert.template_to(template),
                model_types=convert.model_types_to(model_types),
                controls=list(controls),
                request_id=request_id or uuid4().hex,
            ),
            timeout=timeout,
        )
        return convert.group(response.training_group, response.training_jobs)

    async def get_training_group(
        self, group: str | Named, *, timeout: float | None = None
    ) -> types.TrainingGroup:
        """Read a group and its jobs by its full name."""
        response = await self._transport.unary(
            self._transport.groups.GetTrainingGroup,
            group_pb.GetTrainingGroupRequest(name=name_of(group)),
            timeout=timeout,
        )
        return convert.group(response.training_group, response.training_jobs)

    async def get_training_settings(
        self, project: str | Named, *, timeout: float | None = None
    ) -> types.TrainingSettings:
        """Read how a project trains."""
        response = await self._transport.unary(
            self._transport.settings.GetTrainingSettings,
            settings_pb.GetTrainingSettingsRequest(
                name=f"{project_name(project)}/trainingSettings"
            ),
            timeout=timeout,
        )
        return convert.settings(response.training_settings)

    async def update_training_settings(
        self,
        project: str | Named,
        *,
        versioning_disabled: bool | None = None,
        active_learning: types.ActiveLearningPolicy | None = None,
        gate: types.DeploymentGate | None = None,
        etag: str = "",
        timeout: float | None = None,
    ) -> types.TrainingSettings:
        """Change how a project trains; what is None stays as it is.

        Args:
            project: Id or name.
            versioning_disabled: Whether a retrain takes the newest version's place. Refused while
                a job of the project is live.
            active_learning: When to train by itself.
            gate: What must hold before a version is deployed by itself.
            etag: Refuse when the settings changed since.
            timeout: Seconds.
        """
        given = {
            "versioning_disabled": versioning_disabled,
            "active_learning": active_learning,
            "gate": gate,
        }
        request = settings_pb.UpdateTrainingSettingsRequest(
            training_settings=training_settings_pb2.TrainingSettings(
                name=f"{project_name(project)}/trainingSettings",
                versioning_disabled=bool(versioning_disabled),
                active_learning=convert.policy_to(active_learning),
                gate=convert.gate_to(gate),
                etag=etag,
            ),
            update_mask=FieldMask(paths=[key for key, value in given.items() if value is not None]),
        )
        if not request.update_mask.paths:
            # An empty mask would set everything to what the message does not say.
            return await self.get_training_settings(project, timeout=timeout)
        response = await self._transport.unary(
            self._transport.settings.UpdateTrainingSettings, request, timeout=timeout
        )
        return convert.settings(response.training_settings)

    async def get_active_learning_state(
        self, project: str | Named, *, timeout: float | None = None
    ) -> types.ActiveLearningState:
        """Read where a project's active learning stands."""
        response = await self._transport.unary(
            self._transport.settings.GetActiveLearningState,
            settings_pb.GetActiveLearningStateRequest(
                name=f"{project_name(project)}/activeLearningState"
            ),
            timeout=timeout,
        )
        return convert.state(response.active_learning_state)
