"""InferenceService: converts messages and delegates to the handlers."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from services.common.call import current_call
from services.common.grpc_status import as_spanloop_error, internal_error
from services.common.logs import get_logger
from services.common.names import parse_name
from services.common.validate import check_present, check_text
from services.inference.convert import predictions, requests, serving
from services.inference.domain import CONVERTED_AT_ONCE
from services.inference.handlers.exports import Exports
from services.inference.handlers.jobs import JobHandlers
from services.inference.handlers.predict import (
    PredictCommand,
    check_given,
    check_predict,
)
from services.inference.manager import GenerationManager
from services.inference.source import DeploymentSource
from services.inference.streaming import answer_all
from services.inference.trials import convert as trial_convert
from services.inference.trials.board import TrialBoard
from services.inference.trials.predicting import TrialPredictor
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.inference.v1 import inference_service_pb2_grpc, serving_state_pb2

# Requests of one stream under way at once: enough to keep a device busy.
_AT_ONCE = 16
_MAX_STREAM_ID = 100

_log = get_logger(__name__)


class InferenceServicer(inference_service_pb2_grpc.InferenceServiceServicer):
    """The methods are documented in ``inference_service.proto``."""

    def __init__(
        self,
        *,
        predictor: TrialPredictor,
        manager: GenerationManager,
        source: DeploymentSource,
        board: TrialBoard,
        jobs: JobHandlers,
        exports: Exports,
        execution_provider: str,
    ) -> None:
        """Delegate to the given handlers."""
        self._predictor = predictor
        self._manager = manager
        self._source = source
        self._board = board
        self._jobs = jobs
        self._exports = exports
        self._execution_provider = execution_provider

    async def Predict(self, request: pb.PredictRequest, context: object) -> pb.PredictResponse:
        return await self._predict(request)

    async def PredictStream(
        self, request_iterator: AsyncIterator[pb.PredictStreamRequest], context: object
    ) -> AsyncIterator[pb.PredictStreamResponse]:
        async for response in answer_all(request_iterator, self._one_of_many, at_once=_AT_ONCE):
            yield response

    async def _one_of_many(self, request: pb.PredictStreamRequest) -> pb.PredictStreamResponse:
        name = request.id[:_MAX_STREAM_ID]
        try:
            check_text(request.id, "id", max=_MAX_STREAM_ID)
            check_present(request.predict if request.HasField("predict") else None, "predict")
            answer = await self._predict(request.predict)
        except Exception as error:  # noqa: BLE001 - a bug in one request must not end the others
            refusal = as_spanloop_error(error)
            if refusal is None:
                _log.exception("predict_stream_failed", request_id=current_call().request_id)
                refusal = internal_error()
            return pb.PredictStreamResponse(id=name, failure=predictions.failure_message(refusal))
        return pb.PredictStreamResponse(id=name, predict=answer)

    async def _predict(self, request: pb.PredictRequest) -> pb.PredictResponse:
        wish = requests.wish_of(request)
        project = check_predict(
            request.project, request.texts, request.min_score, request.top_n, request.pins
        )
        command = PredictCommand(
            project=project,
            texts=list(request.texts),
            wish=wish,
            labels=list(dict.fromkeys(request.labels)),
            controls=list(dict.fromkeys(request.controls)),
            given=check_given(request.texts, requests.given_of(request), wish.encoding),
            pins=dict(request.pins),
            deadline=current_call().deadline,
        )
        result = await self._predictor.predict(command)
        if sum(map(len, command.texts)) <= CONVERTED_AT_ONCE:
            return predictions.predict_response(result)
        return await asyncio.to_thread(predictions.predict_response, result)

    async def GetServingState(
        self, request: pb.GetServingStateRequest, context: object
    ) -> pb.GetServingStateResponse:
        project = None
        if request.project:
            project = parse_name("projects/{project}", request.project, "project")["project"]
        state = serving_state_pb2.ServingState(
            generations=map(serving.generation_message, self._manager.generations(project)),
            execution_provider=self._execution_provider,
            registry_connected=self._source.connected,
            candidates=trial_convert.candidate_messages(self._board, project),
        )
        return pb.GetServingStateResponse(serving_state=state)

    async def ExportModelVersion(
        self, request: pb.ExportModelVersionRequest, context: object
    ) -> AsyncIterator[pb.ExportModelVersionResponse]:
        for chunk in await self._exports.export(request.name, requests.layout_of(request)):
            yield pb.ExportModelVersionResponse(chunk=chunk)

    async def CreatePreannotationJob(
        self, request: pb.CreatePreannotationJobRequest, context: object
    ) -> pb.CreatePreannotationJobResponse:
        wanted = request.preannotation_job
        content = pb.CreatePreannotationJobRequest(parent=request.parent)
        content.preannotation_job.labels.extend(wanted.labels)
        content.preannotation_job.min_score = wanted.min_score
        content.preannotation_job.stale_only = wanted.stale_only
        job = await self._jobs.create(
            request.parent,
            list(wanted.labels),
            request.request_id,
            content.SerializeToString(deterministic=True),
            min_score=wanted.min_score,
            stale_only=wanted.stale_only,
        )
        return pb.CreatePreannotationJobResponse(preannotation_job=serving.job_message(job))

    async def GetPreannotationJob(
        self, request: pb.GetPreannotationJobRequest, context: object
    ) -> pb.GetPreannotationJobResponse:
        job = await self._jobs.get(request.name)
        return pb.GetPreannotationJobResponse(preannotation_job=serving.job_message(job))

    async def ListPreannotationJobs(
        self, request: pb.ListPreannotationJobsRequest, context: object
    ) -> pb.ListPreannotationJobsResponse:
        jobs, token = await self._jobs.list_page(
            request.parent, request.page_size, request.page_token
        )
        return pb.ListPreannotationJobsResponse(
            preannotation_jobs=map(serving.job_message, jobs), next_page_token=token
        )

    async def CancelPreannotationJob(
        self, request: pb.CancelPreannotationJobRequest, context: object
    ) -> pb.CancelPreannotationJobResponse:
        job = await self._jobs.cancel(request.name)
        return pb.CancelPreannotationJobResponse(preannotation_job=serving.job_message(job))

    async def WatchPreannotationJob(
        self, request: pb.WatchPreannotationJobRequest, context: object
    ) -> AsyncIterator[pb.WatchPreannotationJobResponse]:
        async for job in self._jobs.watch(request.name):
            if job is None:
                heartbeat = pb.WatchPreannotationJobResponse.Heartbeat()
                yield pb.WatchPreannotationJobResponse(heartbeat=heartbeat)
            else:
                yield pb.WatchPreannotationJobResponse(preannotation_job=serving.job_message(job))
