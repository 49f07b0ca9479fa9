"""Calls of the inference service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

from spanloop import types
from spanloop._convert import basic
from spanloop._convert import inference as convert
from spanloop._names import Named, name_of, project_name
from spanloop._sync.transport import Transport
from spanloop._transfer import file_names, unpacked
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.inference.v1 import preannotation_job_pb2


class InferenceCalls:
    """Predictions, serving state and pre-annotation jobs."""

    _transport: Transport

    def predict(
        self,
        project: str | Named,
        texts: Iterable[str],
        *,
        labels: Iterable[str] = (),
        min_score: float = 0.0,
        top_n: int = 0,
        pins: Mapping[str, str] | None = None,
        granularity: types.Granularity | str | None = None,
        offset_encoding: types.OffsetEncoding | str | None = None,
        controls: Iterable[str] = (),
        given_spans: Iterable[Iterable[tuple[int, int]]] = (),
        uncertainty: bool = False,
        timeout: float | None = None,
    ) -> types.PredictResult:
        """Predict the spans and choices of 1 to 1,024 texts, all by the same generation.

        Args:
            project: Id or name.
            texts: The texts; a single string is refused, as it would be read letter by letter.
            labels: Values of the labels wanted; none: all that are deployed or pinned.
            min_score: Leave out what scores lower, 0 to 1.
            top_n: If above 0: at most so many spans over any character, or labels per word.
            pins: By label value, the model version that answers instead of the deployed one.
            granularity: Spans (default) or words.
            offset_encoding: Units of the offsets in the answer, and in `given_spans`.
            controls: Names of the `Choices` wanted; none: all, unless labels are named.
            given_spans: For each text the spans (start, end) whose assertion status is wanted.
            uncertainty: Answer also how sure the models are of each text.
            timeout: Seconds.
        """
        if isinstance(texts, str):
            raise TypeError("texts must be an iterable of strings, not one string")
        request = pb.PredictRequest(
            project=project_name(project),
            texts=list(texts),
            labels=list(labels),
            min_score=min_score,
            top_n=top_n,
            pins=pins or {},
            granularity=convert.granularity_to(granularity),
            offset_encoding=basic.encoding_to(offset_encoding),
            controls=list(controls),
            given_spans=convert.given_to(given_spans),
            uncertainty=uncertainty,
        )
        response = self._transport.unary(
            self._transport.inference.Predict, request, timeout=timeout
        )
        return convert.result(response)

    def serving_state(
        self, project: str | Named | None = None, *, timeout: float | None = None
    ) -> types.ServingState:
        """Say which generations the server holds, of one project or of all."""
        request = pb.GetServingStateRequest(
            project=project_name(project) if project is not None else ""
        )
        response = self._transport.unary(
            self._transport.inference.GetServingState, request, timeout=timeout
        )
        return convert.serving_state(response.serving_state)

    def export_model(
        self,
        version: str | Named,
        folder: Path | str,
        *,
        layout: types.ExportLayout | str = "onnx",
        timeout: float | None = None,
    ) -> list[str]:
        """Write a model version as a folder that runs without Spanloop; returns its files.

        The folder appears only when it is complete. docs/exports.md tells what is in it.

        Raises:
            FileExistsError: There is such a folder already.
        """
        request = pb.ExportModelVersionRequest(
            name=name_of(version), layout=convert.layout_to(layout)
        )
        with unpacked(folder) as file:
            for message in self._transport.download(
                self._transport.inference.ExportModelVersion, request, timeout
            ):
                file.write(message.chunk)
        return file_names(folder)

    def create_preannotation_job(
        self,
        project: str | Named,
        *,
        labels: Iterable[str] = (),
        min_score: float = 0.0,
        stale_only: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> types.PreannotationJob:
        """Queue the pre-annotation of the project's open tasks.

        With `stale_only` tasks whose prediction is by the adapters of today are left out: after a
        deployment only what it changed is predicted again.
        """
        request = pb.CreatePreannotationJobRequest(
            parent=project_name(project),
            preannotation_job=preannotation_job_pb2.PreannotationJob(
                labels=list(labels), min_score=min_score, stale_only=stale_only
            ),
            request_id=request_id or uuid4().hex,
        )
        response = self._transport.unary(
            self._transport.inference.CreatePreannotationJob, request, timeout=timeout
        )
        return convert.preannotation_job(response.preannotation_job)

    def get_preannotation_job(
        self, job: str | Named, *, timeout: float | None = None
    ) -> types.PreannotationJob:
        """Read a pre-annotation job by its full name."""
        response = self._transport.unary(
            self._transport.inference.GetPreannotationJob,
            pb.GetPreannotationJobRequest(name=name_of(job)),
            timeout=timeout,
        )
        return convert.preannotation_job(response.preannotation_job)

    def list_preannotation_jobs(
        self, project: str | Named = "-", *, timeout: float | None = None
    ) -> Iterator[types.PreannotationJob]:
        """Iterate over pre-annotation jobs, newest first; `-` means all projects."""
        return self._transport.pages(
            self._transport.inference.ListPreannotationJobs,
            pb.ListPreannotationJobsRequest(parent=project_name(project)),
            lambda page: map(convert.preannotation_job, page.preannotation_jobs),
            timeout,
        )

    def cancel_preannotation_job(
        self, job: str | Named, *, timeout: float | None = None
    ) -> types.PreannotationJob:
        """Ask for a job to end; FailedPrecondition when it has ended already."""
        response = self._transport.unary(
            self._transport.inference.CancelPreannotationJob,
            pb.CancelPreannotationJobRequest(name=name_of(job)),
            timeout=timeout,
            repeat=False,
        )
        return convert.preannotation_job(response.preannotation_job)

    def watch_preannotation_job(self, job: str | Named) -> Iterator[types.PreannotationJob]:
        """Iterate over a job's states as they come; ends behind the terminal state.

        Continues by itself when the service restarts; leaving it does not cancel the job.
        """
        request = pb.WatchPreannotationJobRequest(name=name_of(job))
        last: types.PreannotationJob | None = None
        for message in self._transport.watch(
            self._transport.inference.WatchPreannotationJob, request
        ):
            if message.WhichOneof("payload") != "preannotation_job":
                continue
            current = convert.preannotation_job(message.preannotation_job)
            if current != last:  # a reopened stream begins with the state known already
                last = current
                yield current
