"""The gRPC face of what trains: converts and delegates."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from services.trainer.convert import model_type_in
from services.trainer.resources.convert import engine_out, worker_out
from services.trainer.resources.describe_parameters import DescribeParameters
from services.trainer.resources.handlers import ResourceHandlers
from spanloop.trainer.v1 import resource_service_pb2 as pb
from spanloop.trainer.v1 import resource_service_pb2_grpc

FULL_NAME = "spanloop.trainer.v1.ResourceService"


class ResourceServicer(resource_service_pb2_grpc.ResourceServiceServicer):
    """spanloop.trainer.v1.ResourceService; see the proto for the contract."""

    def __init__(self, handlers: ResourceHandlers, describe: DescribeParameters) -> None:
        """Delegate to these."""
        self._handlers = handlers
        self._describe = describe

    async def DescribeParameters(
        self, request: pb.DescribeParametersRequest, context: object
    ) -> pb.DescribeParametersResponse:
        kind = model_type_in(request.model_type, "model_type")
        return pb.DescribeParametersResponse(
            engines=[engine_out(engine) for engine in self._describe(request.engine, kind)]
        )

    async def ListResources(
        self, request: pb.ListResourcesRequest, context: object
    ) -> pb.ListResourcesResponse:
        workers, waiting = await self._handlers.list()
        return pb.ListResourcesResponse(
            workers=[worker_out(view) for view in workers], waiting_jobs=waiting
        )
