"""The gRPC face of training scripts: converts and delegates."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from functools import partial

from services.common.server import GrpcService
from services.trainer.scripts.convert import fingerprint_in, script_in, script_out
from services.trainer.scripts.handlers import ScriptHandlers
from spanloop.trainer.v1 import training_script_service_pb2 as pb
from spanloop.trainer.v1 import training_script_service_pb2_grpc

FULL_NAME = "spanloop.trainer.v1.TrainingScriptService"


class TrainingScriptServicer(training_script_service_pb2_grpc.TrainingScriptServiceServicer):
    """spanloop.trainer.v1.TrainingScriptService; see the proto for the contract."""

    def __init__(self, handlers: ScriptHandlers) -> None:
        """Delegate to `handlers`."""
        self._handlers = handlers

    async def CreateTrainingScript(
        self, request: pb.CreateTrainingScriptRequest, context: object
    ) -> pb.CreateTrainingScriptResponse:
        script = await self._handlers.create(
            request.parent,
            script_in(request.training_script),
            request.training_script.content,
            request.request_id,
            fingerprint_in(request),
        )
        return pb.CreateTrainingScriptResponse(training_script=script_out(script))

    async def GetTrainingScript(
        self, request: pb.GetTrainingScriptRequest, context: object
    ) -> pb.GetTrainingScriptResponse:
        script, content = await self._handlers.get(request.name)
        return pb.GetTrainingScriptResponse(training_script=script_out(script, content))

    async def ListTrainingScripts(
        self, request: pb.ListTrainingScriptsRequest, context: object
    ) -> pb.ListTrainingScriptsResponse:
        scripts, token = await self._handlers.list_page(
            request.parent, request.page_size, request.page_token
        )
        return pb.ListTrainingScriptsResponse(
            training_scripts=[script_out(script) for script in scripts], next_page_token=token
        )

    async def DeleteTrainingScript(
        self, request: pb.DeleteTrainingScriptRequest, context: object
    ) -> pb.DeleteTrainingScriptResponse:
        await self._handlers.delete(request.name)
        return pb.DeleteTrainingScriptResponse()


def grpc_service(handlers: ScriptHandlers) -> GrpcService:
    """Return the service to serve."""
    return GrpcService(
        full_name=FULL_NAME,
        register=partial(
            training_script_service_pb2_grpc.add_TrainingScriptServiceServicer_to_server,
            TrainingScriptServicer(handlers),
        ),
    )
