"""Calls about reports and logs of training jobs, and about workers."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from spanloop import types
from spanloop._async.transport import AsyncTransport
from spanloop._convert import reports as convert
from spanloop._names import Named, name_of
from spanloop._transfer import opened
from spanloop.trainer.v1 import resource_service_pb2
from spanloop.trainer.v1 import training_report_service_pb2 as pb


class ReportCalls:
    """Reports, logs, workers."""

    _transport: AsyncTransport

    async def get_training_report(
        self, job: str | Named, *, timeout: float | None = None
    ) -> types.TrainingReport:
        """Read the report on a job's quality; FailedPrecondition before it was evaluated."""
        response = await self._transport.unary(
            self._transport.reports.GetTrainingReport,
            pb.GetTrainingReportRequest(name=name_of(job)),
            timeout=timeout,
        )
        return convert.report(response.training_report)

    async def download_training_report(
        self, job: str | Named, target: Path | str | BinaryIO, *, timeout: float | None = None
    ) -> int:
        """Write a job's report as one HTML page that needs no network; returns its bytes.

        A path is replaced only once the page is complete.
        """
        request = pb.DownloadTrainingReportRequest(name=name_of(job))
        size = 0
        with opened(target) as file:
            async for message in self._transport.download(
                self._transport.reports.DownloadTrainingReport, request, timeout
            ):
                size += len(message.chunk)
                file.write(message.chunk)
        return size

    async def download_training_logs(
        self, name: str | Named, target: Path | str | BinaryIO, *, timeout: float | None = None
    ) -> int:
        """Write the log of a job as text, or of a group's jobs as a ZIP; returns its bytes.

        A path is replaced only once the file is complete.
        """
        request = pb.DownloadTrainingLogsRequest(name=name_of(name))
        size = 0
        with opened(target) as file:
            async for message in self._transport.download(
                self._transport.reports.DownloadTrainingLogs, request, timeout
            ):
                size += len(message.chunk)
                file.write(message.chunk)
        return size

    async def list_resources(self, *, timeout: float | None = None) -> types.Workers:
        """Say which workers there are, what they have and what runs on each."""
        response = await self._transport.unary(
            self._transport.resources.ListResources,
            resource_service_pb2.ListResourcesRequest(),
            timeout=timeout,
        )
        return convert.workers(response)
