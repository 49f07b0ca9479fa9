"""The gRPC face of the trainer: converts and delegates."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from collections.abc import AsyncIterator

from services.trainer.convert import (
    fingerprint_in,
    job_in,
    job_out,
    source_in,
    states_in,
    watch_out,
)
from services.trainer.handlers import TrainerHandlers
from spanloop.trainer.v1 import trainer_service_pb2 as pb
from spanloop.trainer.v1 import trainer_service_pb2_grpc

FULL_NAME = "spanloop.trainer.v1.TrainerService"


class TrainerServicer(trainer_service_pb2_grpc.TrainerServiceServicer):
    """spanloop.trainer.v1.TrainerService; see the proto for the contract."""

    def __init__(self, handlers: TrainerHandlers) -> None:
        """Delegate to `handlers`."""
        self._handlers = handlers

    async def CreateTrainingJob(
        self, request: pb.CreateTrainingJobRequest, context: object
    ) -> pb.CreateTrainingJobResponse:
        job = await self._handlers.create(
            request.parent,
            job_in(request.training_job),
            request.request_id,
            fingerprint_in(request.training_job),
        )
        return pb.CreateTrainingJobResponse(training_job=job_out(job))

    async def GetTrainingJob(
        self, request: pb.GetTrainingJobRequest, context: object
    ) -> pb.GetTrainingJobResponse:
        job = await self._handlers.get(request.name)
        return pb.GetTrainingJobResponse(training_job=job_out(job))

    async def ListTrainingJobs(
        self, request: pb.ListTrainingJobsRequest, context: object
    ) -> pb.ListTrainingJobsResponse:
        jobs, token = await self._handlers.list_page(
            request.parent,
            states_in(request.states),
            request.page_size,
            request.page_token,
            source_in(request.source),
        )
        return pb.ListTrainingJobsResponse(
            training_jobs=[job_out(job) for job in jobs], next_page_token=token
        )

    async def CancelTrainingJob(
        self, request: pb.CancelTrainingJobRequest, context: object
    ) -> pb.CancelTrainingJobResponse:
        job = await self._handlers.cancel(request.name)
        return pb.CancelTrainingJobResponse(training_job=job_out(job))

    async def WatchTrainingJob(
        self, request: pb.WatchTrainingJobRequest, context: object
    ) -> AsyncIterator[pb.WatchTrainingJobResponse]:
        async for item in self._handlers.watch(request.name, request.resume_token):
            yield watch_out(item)
