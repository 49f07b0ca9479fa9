"""Calls of the trainer service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import uuid4

from spanloop import types
from spanloop._convert import automation
from spanloop._convert import training as convert
from spanloop._names import Named, child_name, name_of, project_name
from spanloop._sync.transport import Transport
from spanloop.trainer.v1 import trainer_service_pb2 as pb
from spanloop.trainer.v1 import training_job_pb2


class TrainingCalls:
    """Training jobs."""

    _transport: Transport

    def create_training_job(
        self,
        project: str | Named,
        *,
        snapshot: str | Named = "",
        data: types.TrainingData | None = None,
        model_type: types.ModelType | str = types.ModelType.UNSPECIFIED,
        control: str = "",
        labels: Iterable[str] = (),
        base_model_version: str | Named = "",
        parameters: types.TrainingParameters | None = None,
        trunk_source: str = "",
        engine: str = "",
        script: str | Named = "",
        transfer: types.TransferLearning | None = None,
        deploy: bool = False,
        resources: types.TrainingResources | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> types.TrainingJob:
        """Queue a training job.

        Args:
            project: Id or name.
            snapshot: Name, or id within the project.
            data: What to train on instead: a snapshot of it is taken at once.
            model_type: What to train; unspecified: named entities.
            control: For a classification: name of the `Choices`; empty: the default one.
            labels: Values of the labels to train; none: all of the snapshot.
            base_model_version: Version whose adapters are kept for labels not trained here.
            parameters: How to train; None leaves everything to the service.
            trunk_source: The trunk; empty: the service's default.
            engine: What trains; empty: `ladder`. See `describe_engines`.
            script: For the engine `script`: the training script to run.
            transfer: Version whose weights training starts from.
            deploy: Serve the version when it is ready, if the project's gate lets it.
            resources: What it takes of a worker; None: the engine's default. With `gpu=1` it trains
                on a GPU.
            request_id: Identifies the request; minted when None.
            timeout: Seconds.
        """
        parent = project_name(project)
        base = name_of(base_model_version)
        request = pb.CreateTrainingJobRequest(
            parent=parent,
            training_job=training_job_pb2.TrainingJob(
                snapshot=child_name(parent, "snapshots", snapshot) if snapshot else "",
                data=automation.data_to(data),
                model_type=automation.model_type_to(model_type),
                control=control,
                transfer=automation.transfer_to(transfer),
                deploy=deploy,
                labels=list(labels),
                base_model_version=child_name(parent, "modelVersions", base) if base else "",
                parameters=convert.parameters_to(parameters),
                trunk_source=trunk_source,
                engine=engine,
                script=child_name(parent, "trainingScripts", script) if script else "",
                resources=convert.resources_to(resources),
            ),
            request_id=request_id or uuid4().hex,
        )
        response = self._transport.unary(
            self._transport.trainer.CreateTrainingJob, request, timeout=timeout
        )
        return convert.job(response.training_job)

    def get_training_job(
        self, job: str | Named, *, timeout: float | None = None
    ) -> types.TrainingJob:
        """Read a training job by its full name."""
        response = self._transport.unary(
            self._transport.trainer.GetTrainingJob,
            pb.GetTrainingJobRequest(name=name_of(job)),
            timeout=timeout,
        )
        return convert.job(response.training_job)

    def list_training_jobs(
        self,
        project: str | Named = "-",
        *,
        states: Iterable[types.TrainingJobState | str] = (),
        source: types.TrainingSource | str | None = None,
        timeout: float | None = None,
    ) -> Iterator[types.TrainingJob]:
        """Iterate over the training jobs of a project, newest first; `-` means all projects.

        Args:
            project: Id or name.
            states: Only jobs in one of these.
            source: Only jobs that callers made (`manual`), or active learning.
            timeout: Seconds for each page.
        """
        return self._transport.pages(
            self._transport.trainer.ListTrainingJobs,
            pb.ListTrainingJobsRequest(
                parent=project_name(project),
                states=convert.states_to(states),
                source=convert.source_to(source),
            ),
            lambda page: map(convert.job, page.training_jobs),
            timeout,
        )

    def cancel_training_job(
        self, job: str | Named, *, timeout: float | None = None
    ) -> types.TrainingJob:
        """Ask for a job to end; FailedPrecondition when it has ended already."""
        response = self._transport.unary(
            self._transport.trainer.CancelTrainingJob,
            pb.CancelTrainingJobRequest(name=name_of(job)),
            timeout=timeout,
            repeat=False,
        )
        return convert.job(response.training_job)

    def watch_training_job(
        self, job: str | Named, *, resume_token: str = ""
    ) -> Iterator[types.TrainingJob | types.TrainingLogLine]:
        """Iterate over a job's states and log lines as they come; ends behind the terminal state.

        Continues by itself when the service restarts, without repeating log lines. Leaving the
        iteration does not cancel the job.
        """
        request = pb.WatchTrainingJobRequest(name=name_of(job), resume_token=resume_token)
        last: types.TrainingJob | None = None
        for message in self._transport.watch(self._transport.trainer.WatchTrainingJob, request):
            request.resume_token = message.resume_token or request.resume_token
            match message.WhichOneof("payload"):
                case "training_job":
                    current = convert.job(message.training_job)
                    if current != last:  # a reopened stream begins with the state known already
                        last = current
                        yield current
                case "log_line":
                    yield convert.log_line(message.log_line)
