"""Puts the trainer together."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from services.common.channels import open_peer
from services.common.clock import Clock, SystemClock
from services.common.ids import IdSource, SortableIds
from services.common.logs import get_logger
from services.common.server import BackgroundTask, GrpcService, Wiring, release
from services.common.store.late import opened
from services.common.watch import Signal
from services.trainer.access import ACCESS
from services.trainer.attempt import AttemptParts
from services.trainer.automation.wiring import AUTOMATION_COLLECTIONS, Automation, AutomationParts
from services.trainer.config import TrainerSettings
from services.trainer.documents import COLLECTIONS
from services.trainer.engines.catalog import installed_engines
from services.trainer.handlers import QUEUE_KEY, TrainerHandlers
from services.trainer.housekeeping import job_folders, tidy_jobs
from services.trainer.identity import worker_identity
from services.trainer.job_log import JobLog
from services.trainer.job_queue import JobQueue
from services.trainer.job_trunk import PrecisionLimits
from services.trainer.job_work import WorkParts, WorkSettings
from services.trainer.peers import GrpcAnnotation, GrpcRegistry
from services.trainer.planning import Planner
from services.trainer.ports import AnnotationPeer, RegistryPeer
from services.trainer.publishing import Publisher
from services.trainer.reconciler import Reconciler
from services.trainer.reports.handlers import ReportHandlers
from services.trainer.reports.page_process import PageProcess
from services.trainer.reports.repository import ReportRepository
from services.trainer.reports.servicer import FULL_NAME as REPORTS_NAME
from services.trainer.reports.servicer import TrainingReportServicer
from services.trainer.repository import JobRepository
from services.trainer.resource_servicer import FULL_NAME as RESOURCES_NAME
from services.trainer.resource_servicer import ResourceServicer
from services.trainer.resources.assembly import workforce
from services.trainer.resources.describe_parameters import DescribeParameters
from services.trainer.resources.handlers import ResourceHandlers
from services.trainer.resources.machine import Probe, ProbeProcess
from services.trainer.scripts.handlers import ScriptHandlers
from services.trainer.scripts.peers import GrpcMembers
from services.trainer.scripts.repository import SCRIPT_COLLECTIONS, ScriptRepository
from services.trainer.scripts.servicer import grpc_service as script_service
from services.trainer.servicer import FULL_NAME, TrainerServicer
from services.trainer.trunks import TrunkStore
from services.trainer.worker import WorkerPool
from spanloop.trainer.v1 import resource_service_pb2_grpc as resource_grpc
from spanloop.trainer.v1 import trainer_service_pb2_grpc as trainer_grpc
from spanloop.trainer.v1 import training_report_service_pb2_grpc as report_grpc

CHILD_COMMAND = (sys.executable, "-m", "services.trainer.worker_main")

_log = get_logger(__name__)


@asynccontextmanager
async def build(
    settings: TrainerSettings,
    *,
    clock: Clock | None = None,
    ids: IdSource | None = None,
    annotation: AnnotationPeer | None = None,
    registry: RegistryPeer | None = None,
    child_command: Sequence[str] = CHILD_COMMAND,
    probe: Probe | None = None,
) -> AsyncIterator[Wiring]:
    """Build the trainer; the parts that are given replace the real ones.

    Args:
        settings: The settings.
        clock: Where the time comes from.
        ids: Where ids come from.
        annotation: The annotation service.
        registry: The registry service.
        child_command: Starts a child process; the spec's path is appended.
        probe: Finds graphics processors.

    Raises:
        SchemaError: The database is not one of this service and version.
        TokenFileError: The token for the other services cannot be read.
    """
    clock = clock or SystemClock()
    ids = ids or SortableIds()
    async with AsyncExitStack() as stack:
        identity = stack.enter_context(worker_identity(settings.service_dir, ids))
        store = await stack.enter_async_context(
            opened(settings.database, (*COLLECTIONS, *AUTOMATION_COLLECTIONS, *SCRIPT_COLLECTIONS))
        )
        # Connected to at the first call only.
        channel = await stack.enter_async_context(open_peer(settings, settings.annotation_address))
        members = GrpcMembers(channel)
        if annotation is None:
            annotation = GrpcAnnotation(channel)
        if registry is None:
            peer = open_peer(settings, settings.registry_address)
            registry = GrpcRegistry(await stack.enter_async_context(peer))
        signal = Signal()
        repository = JobRepository(store)
        log = JobLog(store, clock)
        queue = JobQueue(
            store,
            clock,
            lease_seconds=settings.lease_seconds,
            max_attempts=settings.max_attempts,
        )
        reports = ReportRepository(store)
        scripts = ScriptRepository(store)
        trunks = TrunkStore(settings.trunks_dir, registry)
        engines = installed_engines()
        for name, why in engines.broken.items():
            _log.warning("engine_unusable", engine=name, reason=why)
        parts = AttemptParts(
            queue=queue,
            log=log,
            signal=signal,
            clock=clock,
            lease_seconds=settings.lease_seconds,
            work=WorkParts(
                settings=_work_settings(settings, child_command),
                annotation=annotation,
                registry=registry,
                trunks=trunks,
                engines=engines,
                publisher=Publisher(registry, trunks, code_version=release()),
                reports=reports,
                scripts=scripts,
                clock=clock,
            ),
        )
        force = workforce(
            settings,
            store,
            clock,
            identity.holder,
            probe or ProbeProcess(),
            engines,
            on_room=lambda: signal.notify(QUEUE_KEY),
            on_job=signal.notify,
        )
        stack.push_async_callback(force.beat.leave)
        tidy = _Tidying(settings, repository, scripts, clock)
        pool = WorkerPool(
            queue,
            parts,
            signal,
            identity.holder,
            force.slots,
            force.reservations,
            poll_seconds=settings.poll_seconds,
            after_attempt=tidy,
        )
        # Children are ended before the store is closed, also when the server failed to start.
        stack.push_async_callback(pool.drain)
        planner = Planner(
            annotation,
            registry,
            force.admission,
            engines,
            scripts,
            default_trunk_source=settings.trunk_source,
        )
        automation = Automation(
            AutomationParts(
                store=store,
                jobs=repository,
                annotation=annotation,
                registry=registry,
                planner=planner,
                signal=signal,
                clock=clock,
                ids=ids,
                poll_seconds=settings.poll_seconds,
            )
        )
        handlers = TrainerHandlers(
            repository,
            log,
            planner,
            automation.settings,
            signal,
            clock,
            ids,
            heartbeat_seconds=settings.watch_heartbeat_seconds,
            poll_seconds=settings.poll_seconds,
        )
        servicer = TrainerServicer(handlers)
        resources = ResourceServicer(
            ResourceHandlers(force.directory, repository), DescribeParameters(engines)
        )
        reporting = TrainingReportServicer(ReportHandlers(repository, reports, log, PageProcess()))
        yield Wiring(
            services=[
                GrpcService(
                    full_name=FULL_NAME,
                    register=partial(trainer_grpc.add_TrainerServiceServicer_to_server, servicer),
                ),
                GrpcService(
                    full_name=RESOURCES_NAME,
                    register=partial(
                        resource_grpc.add_ResourceServiceServicer_to_server, resources
                    ),
                ),
                GrpcService(
                    full_name=REPORTS_NAME,
                    register=partial(
                        report_grpc.add_TrainingReportServiceServicer_to_server, reporting
                    ),
                ),
                *automation.services(),
                script_service(ScriptHandlers(scripts, members, clock, ids)),
            ],
            access=ACCESS,
            users=members,
            background=[
                BackgroundTask(
                    name="reconciler",
                    run=Reconciler(
                        queue,
                        log,
                        signal,
                        identity.holder,
                        alone=identity.alone,
                        interval_seconds=min(settings.poll_seconds, settings.lease_seconds / 3),
                        waiting=force.waiting,
                        shortage=force.shortage,
                        tidy=tidy,
                        finish_groups=automation.groups.finish_all,
                    ).run,
                ),
                BackgroundTask(name="workers", run=pool.run),
                BackgroundTask(name="worker-beat", run=force.beat.run),
                *automation.background(),
            ],
            on_drain=[pool.drain],
            checks=[store.ping],
        )


class _Tidying:
    """Removes what is no longer needed, whenever an attempt has ended."""

    def __init__(
        self,
        settings: TrainerSettings,
        repository: JobRepository,
        scripts: ScriptRepository,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._repository = repository
        self._scripts = scripts
        self._clock = clock

    async def __call__(self) -> None:
        settings = self._settings
        folders = await asyncio.to_thread(job_folders, settings.jobs_dir)
        states = await self._repository.states_of(folders)
        await asyncio.to_thread(
            tidy_jobs, settings.jobs_dir, folders, states, kept_failed=settings.kept_failed_jobs
        )
        await self._scripts.remove_deleted(self._clock.now())


def _work_settings(settings: TrainerSettings, child_command: Sequence[str]) -> WorkSettings:
    return WorkSettings(
        child_command=child_command,
        # Absolute: the child must find them wherever it runs.
        jobs_dir=settings.jobs_dir.absolute(),
        cache_dir=settings.cache_dir.absolute(),
        activation_cache_bytes=settings.activation_cache_bytes,
        trunks_dir=settings.trunks_dir.absolute(),
        providers=settings.providers,
        stop_seconds=settings.stop_seconds,
        peer_retry_seconds=settings.peer_retry_seconds,
        precision=PrecisionLimits(
            max_label_loss=settings.precision_label_loss,
            min_spans=settings.precision_min_spans,
        ),
    )
