"""GRPCInferenceService: converts messages and delegates to the handlers."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

import asyncio

from services.common.call import current_call
from services.inference.domain import CONVERTED_AT_ONCE
from services.inference.oip import convert
from services.inference.oip.handlers import OpenInference
from services.inference.oip.metadata import EXTENSIONS
from spanloop.inference.oip.v2 import open_inference_service_pb2 as pb
from spanloop.inference.oip.v2 import open_inference_service_pb2_grpc


class OpenInferenceServicer(open_inference_service_pb2_grpc.GRPCInferenceServiceServicer):
    """The methods are documented in ``open_inference_service.proto``."""

    def __init__(self, handlers: OpenInference, *, release: str) -> None:
        """Delegate to `handlers`; `release` is what the server says that it is."""
        self._handlers = handlers
        self._release = release

    async def ServerLive(
        self, request: pb.ServerLiveRequest, context: object
    ) -> pb.ServerLiveResponse:
        return pb.ServerLiveResponse(live=True)

    async def ServerReady(
        self, request: pb.ServerReadyRequest, context: object
    ) -> pb.ServerReadyResponse:
        return pb.ServerReadyResponse(ready=self._handlers.ready)

    async def ModelReady(
        self, request: pb.ModelReadyRequest, context: object
    ) -> pb.ModelReadyResponse:
        ready = self._handlers.model_ready(request.name, request.version)
        return pb.ModelReadyResponse(ready=ready)

    async def ServerMetadata(
        self, request: pb.ServerMetadataRequest, context: object
    ) -> pb.ServerMetadataResponse:
        return pb.ServerMetadataResponse(
            name="spanloop", version=self._release, extensions=EXTENSIONS
        )

    async def ModelMetadata(
        self, request: pb.ModelMetadataRequest, context: object
    ) -> pb.ModelMetadataResponse:
        versions = self._handlers.versions(request.name, request.version)
        return convert.model_metadata(request.name, versions)

    async def ModelInfer(
        self, request: pb.ModelInferRequest, context: object
    ) -> pb.ModelInferResponse:
        answer = await self._handlers.infer(convert.infer_request(request), current_call().deadline)
        if request.ByteSize() <= CONVERTED_AT_ONCE:
            return convert.infer_response(request, answer)
        return await asyncio.to_thread(convert.infer_response, request, answer)

    async def ModelConfig(
        self, request: pb.ModelConfigRequest, context: object
    ) -> pb.ModelConfigResponse:
        self._handlers.versions(request.name, request.version)
        return convert.model_config(request.name)

    async def RepositoryIndex(
        self, request: pb.RepositoryIndexRequest, context: object
    ) -> pb.RepositoryIndexResponse:
        rows = self._handlers.index(request.repository_name, ready=request.ready)
        return convert.index_response(rows)

    async def RepositoryModelLoad(
        self, request: pb.RepositoryModelLoadRequest, context: object
    ) -> pb.RepositoryModelLoadResponse:
        await self._handlers.load(
            request.model_name, request.repository_name, sorted(request.parameters)
        )
        return pb.RepositoryModelLoadResponse()

    async def RepositoryModelUnload(
        self, request: pb.RepositoryModelUnloadRequest, context: object
    ) -> pb.RepositoryModelUnloadResponse:
        self._handlers.unload(
            request.model_name, request.repository_name, sorted(request.parameters)
        )
        return pb.RepositoryModelUnloadResponse()
