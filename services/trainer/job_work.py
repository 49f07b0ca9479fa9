"""The work of an attempt: from the snapshot to a READY model version."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.common.clock import Clock
from services.common.errors import NotFoundError
from services.common.logs import get_logger
from services.common.names import parse_name
from services.trainer.child_memory import watch_memory
from services.trainer.child_process import ChildProcess
from services.trainer.data_checks import check_examples, split_counts
from services.trainer.domain import (
    Baseline,
    FailureReason,
    JobFailedError,
    TrainingJob,
)
from services.trainer.engine_choice import given_parameters
from services.trainer.engines.catalog import EngineCatalog
from services.trainer.fetching import Fetching
from services.trainer.held_job import HeldJob
from services.trainer.job_files import (
    Example,
    JobFilesError,
    JobFolder,
    JobResult,
    JobSpec,
    ScriptFile,
    write_whole,
)
from services.trainer.job_log import LogWriter
from services.trainer.job_state import JobEvent, JobState
from services.trainer.job_trunk import JobTrunk, PrecisionLimits
from services.trainer.ports import AnnotationPeer, RegistryPeer, Snapshot
from services.trainer.protocol import (
    EpochMessage,
    EvaluatingMessage,
    FailedMessage,
    LogMessage,
    Message,
    ProgressMessage,
    ProtocolError,
    ResultMessage,
    TimingMessage,
    WarningMessage,
)
from services.trainer.publishing import Publisher
from services.trainer.reports.repository import ReportRepository
from services.trainer.resources.slots import Grant
from services.trainer.retrying import PeerCalls
from services.trainer.scripts.handlers import SCRIPT
from services.trainer.scripts.repository import ScriptRepository
from services.trainer.trunks import TrunkStore

_log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class WorkSettings:
    """What the work needs to know; see `TrainerSettings` for the meanings."""

    child_command: Sequence[str]
    jobs_dir: Path
    cache_dir: Path
    activation_cache_bytes: int
    trunks_dir: Path
    providers: str
    stop_seconds: float
    peer_retry_seconds: float
    precision: PrecisionLimits


@dataclass(frozen=True, kw_only=True)
class WorkParts:
    """What the work of all jobs shares."""

    settings: WorkSettings
    annotation: AnnotationPeer
    registry: RegistryPeer
    trunks: TrunkStore
    engines: EngineCatalog
    publisher: Publisher
    reports: ReportRepository
    scripts: ScriptRepository
    clock: Clock


class StoppedEarlyError(Exception):
    """The child stopped at a checkpoint though nobody asked it to."""


class JobWork:
    """Does one held job; cancelling `run` ends it, at a checkpoint if `may_stop_gently` says so."""

    def __init__(
        self,
        held: HeldJob,
        writer: LogWriter,
        parts: WorkParts,
        grant: Grant,
        may_stop_gently: Callable[[], bool],
    ) -> None:
        """Prepare to do the job."""
        self._held = held
        self._writer = writer
        self._parts = parts
        self._grant = grant
        self._may_stop_gently = may_stop_gently
        self._folder = JobFolder(parts.settings.jobs_dir / held.job.id)
        self._peer = PeerCalls(
            parts.clock, retry_seconds=parts.settings.peer_retry_seconds, note=writer.add
        )
        self._trunk = JobTrunk(
            held,
            registry=parts.registry,
            trunks=parts.trunks,
            engines=parts.engines,
            limits=parts.settings.precision,
            peer=self._peer,
            note=writer.add,
        )
        self._fetching = Fetching(
            parts.registry, parts.trunks, self._folder.fetched_path, self._peer, held.add_warning
        )

    async def run(self) -> None:
        """Do the job.

        Raises:
            JobFailedError: It cannot succeed.
            ChildDiedError: The child ended without a result.
            StoppedEarlyError: The child stopped without a result.
            CancelledBeforeCommitError: It was cancelled; no version appears.
            AbortedError: LEASE_LOST.
            StoreError: The database cannot be used.
        """
        job, annotation = self._held.job, self._parts.annotation
        self._writer.add("info", f"Attempt {job.attempt} on worker {job.lease.worker}.")
        await asyncio.to_thread(self._folder.create)
        snapshot = await self._peer(
            "Reading the snapshot", lambda: annotation.get_snapshot(job.snapshot)
        )
        result, baseline = self._finished_result()
        if result is None:
            result = await self._train(snapshot)
            baseline = self._folder.read_baseline()
        if self._held.job.state is JobState.TRAINING:
            await self._held.advance(JobEvent.EVALUATE)
        await self._keep_report()
        await self._held.advance(JobEvent.REGISTER, evaluation=result.evaluation, baseline=baseline)
        started = self._parts.clock.monotonic()
        self._writer.add("info", f"Registering {len(result.adapters)} adapters.")
        version = await self._parts.publisher.publish(
            self._held, result, snapshot.content_hash, self._peer
        )
        self._held.add_timing("registration", self._parts.clock.monotonic() - started)
        self._writer.add("info", f"Done: {version}.")
        await self._writer.flush()
        await self._held.advance(JobEvent.FINISH, model_version=version)

    def _finished_result(self) -> tuple[JobResult | None, Baseline | None]:
        try:
            result, baseline = self._folder.read_result(), self._folder.read_baseline()
        except JobFilesError as error:
            self._writer.add("warning", f"Computing again: {error}.")
            self._folder.result_path.unlink(missing_ok=True)
            self._folder.baseline_path.unlink(missing_ok=True)
            return None, None
        if result is not None:
            self._writer.add("info", "Going on with what an earlier attempt computed.")
        return result, baseline

    async def _train(self, snapshot: Snapshot) -> JobResult:
        """Compute, and once more in fp32 where the registry's choice of a precision is refused."""
        await self._prepare(snapshot)
        try:
            return await self._compute()
        except JobFailedError as error:
            if not await self._trunk.fall_back(error.failure):
                raise
        await self._prepare(snapshot)
        return await self._compute()

    async def _keep_report(self) -> None:
        """Store the report: the job's folder goes when the job has ended."""
        try:
            report = await asyncio.to_thread(self._folder.read_report)
        except JobFilesError as error:
            self._writer.add("warning", f"There will be no report: {error}.")
            return
        if report is not None:
            await self._parts.reports.save(self._held.job, report)

    async def _prepare(self, snapshot: Snapshot) -> None:
        """Write the child's files."""
        job, settings = self._held.job, self._parts.settings
        examples = await self._fetch_examples(snapshot)
        trainable = await asyncio.to_thread(
            check_examples, job, examples, job.labels or snapshot.labels
        )
        for warning in trainable.warnings:
            self._held.add_warning(warning)
        started = self._parts.clock.monotonic()
        trunk = await self._trunk.find()
        self._held.add_timing("trunk", self._parts.clock.monotonic() - started)
        spec = JobSpec(
            job=job.name,
            folder=str(self._folder.path),
            cache_folder=str(settings.cache_dir),
            cache_bytes=settings.activation_cache_bytes,
            trunks_folder=str(settings.trunks_dir),
            trunk_folder="" if trunk.folder is None else str(trunk.folder),
            trunk_source=trunk.source,
            trunk_precision_reason=trunk.reason,
            precision_check=trunk.check,
            labels=trainable.labels,
            model_type=job.model_type.value,
            control=job.control,
            multiple=trainable.multiple,
            initial_adapters=await self._fetching.initial(job, trainable.labels),
            script=await self._script(job),
            fixed_trunk=bool(job.based_on),
            served=await self._fetching.served(job, examples),
            engine=job.engine,
            parameters=given_parameters(job.parameters),
            engine_options=job.parameters.engine_options,
            # Only what follows from the inputs: equal inputs give equal adapters, digest and all.
            lineage={"snapshot_content_hash": snapshot.content_hash},
            threads=self._grant.threads,
            use_gpu=self._uses_gpu,
            providers="cuda" if self._uses_gpu else "cpu",
        )
        settings.trunks_dir.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(self._folder.write_spec, spec)

    async def _script(self, job: TrainingJob) -> ScriptFile | None:
        """Write the job's training script; None: its engine runs none."""
        if not job.script:
            return None
        found = parse_name(SCRIPT, job.script, "script")
        try:
            script, content = await self._parts.scripts.get(
                found["project"], found["script"], deleted_too=True
            )
        except NotFoundError as error:
            raise JobFailedError(
                FailureReason.SCRIPT_FAILED, f"{job.script} was deleted before the job ran."
            ) from error
        path = self._folder.script_path
        await asyncio.to_thread(write_whole, path, content.encode())
        self._writer.add("info", f"Training script {script.name}, {script.digest}.")
        return ScriptFile(path=str(path), limits=script.limits)

    async def _fetch_examples(self, snapshot: Snapshot) -> Sequence[Example]:
        """Store the examples and return them."""
        if not self._folder.examples_path.is_file():
            annotation = self._parts.annotation
            examples = await self._peer(
                "Reading the snapshot's examples",
                lambda: _collect(annotation.read_snapshot(snapshot.name)),
            )
            await asyncio.to_thread(self._folder.write_examples, examples)
        else:
            examples = await asyncio.to_thread(lambda: list(self._folder.read_examples()))
        splits = split_counts(examples)
        self._writer.add(
            "info",
            f"Snapshot {snapshot.name}: {splits['train']} train, {splits['dev']} dev and "
            f"{splits['test']} test texts.",
        )
        return examples

    async def _compute(self) -> JobResult:
        """Run the child and return what it made."""
        settings = self._parts.settings
        try:
            child = await ChildProcess.start(
                settings.child_command,
                self._folder.spec_path,
                # An operator who wants the GPU for all jobs has shared it out already.
                self._grant.environment(os.environ) if settings.providers == "auto" else {},
            )
        except OSError as error:
            raise JobFailedError(
                FailureReason.INTERNAL, f"The training process cannot be started: {error}"
            ) from error
        _log.info("child_started", job=self._held.job.name, pid=child.pid)
        grace = 0.0
        memory = asyncio.create_task(
            watch_memory(child.pid, self._grant.resources.memory_bytes, self._writer.add)
        )
        try:
            async for message in child.messages():
                if isinstance(message, FailedMessage):
                    raise JobFailedError(message.failure.reason, message.failure.message)
                if isinstance(message, ResultMessage):
                    break
                await self._hear(message)
        except asyncio.CancelledError:
            if self._may_stop_gently():
                grace = settings.stop_seconds
            raise
        finally:
            memory.cancel()
            await child.end(grace)
        result = self._folder.read_result()
        if result is None:
            raise StoppedEarlyError
        return result

    @property
    def _uses_gpu(self) -> bool:
        setting = self._parts.settings.providers
        return bool(self._grant.gpus) if setting == "auto" else setting == "cuda"

    async def _hear(self, message: Message | ProtocolError) -> None:
        held = self._held
        match message:
            case LogMessage():
                self._writer.add(message.level, message.message)
            case WarningMessage():
                held.add_warning(message.message)
                self._writer.add("warning", message.message)
            case ProgressMessage():
                held.show_progress(message.progress)
            case EpochMessage():
                held.show_epoch(message.metrics)
            case TimingMessage():
                held.add_timing(message.part, message.seconds)
            case EvaluatingMessage():
                if held.job.state is JobState.TRAINING:
                    await held.advance(JobEvent.EVALUATE)
            case ProtocolError():
                _log.warning("child_line_ignored", job=held.job.name, error=str(message))
            case _:
                pass


async def _collect(examples: AsyncIterator[Example]) -> list[Example]:
    return [example async for example in examples]
