"""The gRPC face of reports and logs: converts and delegates."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from collections.abc import AsyncIterator

from services.trainer.reports.convert import report_out
from services.trainer.reports.handlers import ReportHandlers
from spanloop.trainer.v1 import training_report_service_pb2 as pb
from spanloop.trainer.v1 import training_report_service_pb2_grpc

FULL_NAME = "spanloop.trainer.v1.TrainingReportService"


class TrainingReportServicer(training_report_service_pb2_grpc.TrainingReportServiceServicer):
    """spanloop.trainer.v1.TrainingReportService; see the proto for the contract."""

    def __init__(self, handlers: ReportHandlers) -> None:
        """Delegate to `handlers`."""
        self._handlers = handlers

    async def GetTrainingReport(
        self, request: pb.GetTrainingReportRequest, context: object
    ) -> pb.GetTrainingReportResponse:
        job, report = await self._handlers.get(request.name)
        return pb.GetTrainingReportResponse(training_report=report_out(job, report))

    async def DownloadTrainingReport(
        self, request: pb.DownloadTrainingReportRequest, context: object
    ) -> AsyncIterator[pb.DownloadTrainingReportResponse]:
        async for chunk in self._handlers.page(request.name):
            yield pb.DownloadTrainingReportResponse(chunk=chunk)

    async def DownloadTrainingLogs(
        self, request: pb.DownloadTrainingLogsRequest, context: object
    ) -> AsyncIterator[pb.DownloadTrainingLogsResponse]:
        async for chunk in self._handlers.logs(request.name):
            yield pb.DownloadTrainingLogsResponse(chunk=chunk)
