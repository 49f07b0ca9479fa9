"""The gRPC face of what trains: converts and delegates."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from services.common.errors import Reason, UnimplementedError
from services.trainer.resources.convert import worker_out
from services.trainer.resources.handlers import ResourceHandlers
from spanloop.trainer.v1 import resource_service_pb2 as pb
from spanloop.trainer.v1 import resource_service_pb2_grpc

FULL_NAME = "spanloop.trainer.v1.ResourceService"


class ResourceServicer(resource_service_pb2_grpc.ResourceServiceServicer):
    """spanloop.trainer.v1.ResourceService; see the proto for the contract."""

    def __init__(self, handlers: ResourceHandlers) -> None:
        """Delegate to `handlers`."""
        self._handlers = handlers

    async def DescribeParameters(
        self, request: pb.DescribeParametersRequest, context: object
    ) -> pb.DescribeParametersResponse:
        raise UnimplementedError(Reason.METHOD_UNKNOWN, "DescribeParameters is not there yet.")

    async def ListResources(
        self, request: pb.ListResourcesRequest, context: object
    ) -> pb.ListResourcesResponse:
        workers, waiting = await self._handlers.list()
        return pb.ListResourcesResponse(
            workers=[worker_out(view) for view in workers], waiting_jobs=waiting
        )
