"""Calls about training scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

from spanloop import types
from spanloop._async.transport import AsyncTransport
from spanloop._convert import scripts as convert
from spanloop._names import Named, name_of, project_name
from spanloop.trainer.v1 import training_script_pb2
from spanloop.trainer.v1 import training_script_service_pb2 as pb


class ScriptCalls:
    """Programs that the engine `script` runs."""

    _transport: AsyncTransport

    async def create_training_script(
        self,
        project: str | Named,
        content: bytes,
        *,
        display_name: str = "",
        limits: types.ScriptLimits | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> types.TrainingScript:
        """Store a training script; only owners of the project may.

        Args:
            project: Id or name.
            content: The Python program, UTF-8, at most 1,000,000 bytes.
            display_name: For people.
            limits: What a run may use; None: the defaults.
            request_id: Identifies the request; minted when None.
            timeout: Seconds.
        """
        response = await self._transport.unary(
            self._transport.scripts.CreateTrainingScript,
            pb.CreateTrainingScriptRequest(
                parent=project_name(project),
                training_script=training_script_pb2.TrainingScript(
                    content=content, display_name=display_name, limits=convert.limits_to(limits)
                ),
                request_id=request_id or uuid4().hex,
            ),
            timeout=timeout,
        )
        return convert.script(response.training_script)

    async def get_training_script(
        self, script: str | Named, *, timeout: float | None = None
    ) -> types.TrainingScript:
        """Read a training script with its content, by its full name."""
        response = await self._transport.unary(
            self._transport.scripts.GetTrainingScript,
            pb.GetTrainingScriptRequest(name=name_of(script)),
            timeout=timeout,
        )
        return convert.script(response.training_script)

    def list_training_scripts(
        self, project: str | Named, *, timeout: float | None = None
    ) -> AsyncIterator[types.TrainingScript]:
        """Iterate over the training scripts of a project, newest first, without contents.

        Args:
            project: Id or name.
            timeout: Seconds for each page.
        """
        return self._transport.pages(
            self._transport.scripts.ListTrainingScripts,
            pb.ListTrainingScriptsRequest(parent=project_name(project)),
            lambda page: map(convert.script, page.training_scripts),
            timeout,
        )

    async def delete_training_script(
        self, script: str | Named, *, timeout: float | None = None
    ) -> None:
        """Delete a training script; queued jobs keep it. Only owners of the project may."""
        await self._transport.unary(
            self._transport.scripts.DeleteTrainingScript,
            pb.DeleteTrainingScriptRequest(name=name_of(script)),
            timeout=timeout,
            repeat=False,
        )
