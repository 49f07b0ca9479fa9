"""TrialService: converts messages and delegates to the handlers."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from services.common.clock import Clock
from services.registry import trial_convert as convert
from services.registry.convert import project_of
from services.registry.handlers.trials import Trials
from services.registry.pointer_convert import deployment_message
from spanloop.registry.v1 import trial_service_pb2 as pb
from spanloop.registry.v1 import trial_service_pb2_grpc


class TrialServicer(trial_service_pb2_grpc.TrialServiceServicer):
    """The methods are documented in ``trial_service.proto``."""

    def __init__(self, trials: Trials, clock: Clock) -> None:
        """Delegate to the given handlers."""
        self._trials = trials
        self._clock = clock

    async def StartTrial(
        self, request: pb.StartTrialRequest, context: object
    ) -> pb.StartTrialResponse:
        trial = await self._trials.start(convert.wish_of(request), request.request_id)
        return pb.StartTrialResponse(trial=convert.trial_message(trial))

    async def GetTrial(self, request: pb.GetTrialRequest, context: object) -> pb.GetTrialResponse:
        ref = convert.trial_of_name(request.name)
        trial, findings = await self._trials.get(ref.project, ref.number)
        return pb.GetTrialResponse(trial=convert.trial_message(trial, findings))

    async def ListTrials(
        self, request: pb.ListTrialsRequest, context: object
    ) -> pb.ListTrialsResponse:
        found, token = await self._trials.page(
            project_of(request.parent), request.page_size, request.page_token
        )
        return pb.ListTrialsResponse(
            trials=[
                convert.trial_message(trial, findings, reporters=False) for trial, findings in found
            ],
            next_page_token=token,
        )

    async def EndTrial(self, request: pb.EndTrialRequest, context: object) -> pb.EndTrialResponse:
        ref = convert.trial_of_name(request.name)
        if not request.promote:
            await self._trials.end(ref.project, ref.number, request.etag, request.request_id)
            trial, findings = await self._trials.get(ref.project, ref.number)
            return pb.EndTrialResponse(trial=convert.trial_message(trial, findings))
        deployment = await self._trials.promote(
            ref.project, ref.number, request.etag, request.request_id, force=request.force
        )
        trial, findings = await self._trials.get(ref.project, ref.number)
        return pb.EndTrialResponse(
            trial=convert.trial_message(trial, findings), deployment=deployment_message(deployment)
        )

    async def ReportTrial(
        self, request: pb.ReportTrialRequest, context: object
    ) -> pb.ReportTrialResponse:
        ref = convert.trial_of_name(request.name)
        report = convert.report_of(request, self._clock.now())
        trial, findings = await self._trials.report(ref.project, ref.number, report)
        return pb.ReportTrialResponse(trial=convert.trial_message(trial, findings, reporters=False))
