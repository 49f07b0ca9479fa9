"""Puts the inference service together from its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from prometheus_client import CollectorRegistry

from services.common.blobs import LocalCache
from services.common.channels import open_peer
from services.common.clock import Clock, SystemClock
from services.common.ids import IdSource, SortableIds
from services.common.logs import get_logger
from services.common.modeling.onnx.providers import (
    CPU,
    choose_providers,
    cuda_problem,
    graphs_problem,
)
from services.common.modeling.onnx.sessions import DeviceOptions
from services.common.server import BackgroundTask, GrpcService, Wiring, release
from services.common.store.late import opened
from services.common.watch import Signal
from services.inference.access import ACCESS
from services.inference.batcher import Batcher
from services.inference.config import InferenceSettings
from services.inference.deployment_memory import DEPLOYMENT_COLLECTION, DeploymentMemory
from services.inference.domain import Device
from services.inference.engine.loader import EngineOptions, ModelLoader
from services.inference.engine.worker import EngineThreads
from services.inference.handlers.exports import Exports
from services.inference.handlers.jobs import JobHandlers
from services.inference.handlers.predict import Predictor
from services.inference.manager import Backoff, GenerationManager
from services.inference.metrics import PreannotationMetrics, ServingMetrics
from services.inference.naming import ConfigNaming
from services.inference.oip.handlers import OpenInference
from services.inference.oip.servicer import OpenInferenceServicer
from services.inference.peers import AnnotationPeer, RegistryPeer
from services.inference.pins import PinnedModels, PinResolver
from services.inference.ports import Annotation, Registry
from services.inference.preannotate import Preannotation, PreannotationOptions
from services.inference.presence import Presence
from services.inference.remembering import Remembering
from services.inference.repository import JOB_COLLECTION, JobRepository
from services.inference.runner import PreannotationRunner
from services.inference.servicer import InferenceServicer
from services.inference.source import DeploymentSource
from services.inference.trials.board import TrialBoard
from services.inference.trials.comparing import Comparisons
from services.inference.trials.metrics import TrialMetrics
from services.inference.trials.predicting import TrialPredictor
from services.inference.trials.reporting import TrialReporter
from spanloop.inference.oip.v2 import open_inference_service_pb2, open_inference_service_pb2_grpc
from spanloop.inference.v1 import inference_service_pb2, inference_service_pb2_grpc

_SERVICE = inference_service_pb2.DESCRIPTOR.services_by_name["InferenceService"].full_name
_OPEN_SERVICE = open_inference_service_pb2.DESCRIPTOR.services_by_name[
    "GRPCInferenceService"
].full_name

_log = get_logger(__name__)


@asynccontextmanager
async def build(
    settings: InferenceSettings,
    *,
    clock: Clock | None = None,
    ids: IdSource | None = None,
    registry: Registry | None = None,
    annotation: Annotation | None = None,
) -> AsyncIterator[Wiring]:
    """Open everything, yield what is to be served, close everything.

    Args:
        settings: The settings.
        clock: Default: the machine's.
        ids: Default: sortable ids.
        registry: Default: the service at `registry_address`.
        annotation: Default: the service at `annotation_address`.

    Raises:
        ValueError: CUDA or TensorRT is asked for and there is no device, or the database's URL is
            unusable.
    """
    clock = clock or SystemClock()
    ids = ids or SortableIds()
    providers = choose_providers(settings.execution_provider)
    device = _device_options(settings, providers)
    computes_on = Device.CPU if providers[0] == CPU else Device.CUDA
    batch_tokens, background_tokens = settings.batch_sizes(on_gpu=computes_on is Device.CUDA)
    options = EngineOptions(
        providers=providers,
        threads=settings.intra_op_threads,
        batch_tokens=batch_tokens,
        device=device,
    )
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            opened(settings.database, [JOB_COLLECTION, DEPLOYMENT_COLLECTION])
        )
        if registry is None:
            channel = await stack.enter_async_context(
                open_peer(settings, settings.registry_address)
            )
            registry = RegistryPeer(channel, silence_seconds=settings.registry_silence_seconds)
        if annotation is None:
            channel = await stack.enter_async_context(
                open_peer(settings, settings.annotation_address)
            )
            annotation = AnnotationPeer(channel)
        threads = EngineThreads()
        stack.callback(threads.close)
        cache = LocalCache(settings.cache, limit_bytes=settings.cache_bytes or None)
        loader = ModelLoader(registry, cache, threads.loading, options)
        exports = Exports(registry, cache)
        stack.callback(exports.close)
        backoff = Backoff(first=settings.load_retry_seconds)
        manager = GenerationManager(loader, clock=clock, backoff=backoff)
        stack.push_async_callback(manager.close)
        pinned = PinnedModels(loader)
        stack.push_async_callback(pinned.close)
        batcher = Batcher(
            threads.run_batch,
            batch_tokens=batch_tokens,
            background_tokens=background_tokens,
            queue_tokens=settings.queue_tokens,
            clock=clock,
        )
        stack.push_async_callback(batcher.close)
        batcher.start()
        predictor = Predictor(manager, batcher, threads, PinResolver(registry, clock), pinned)
        board = TrialBoard(
            GenerationManager(loader, clock=clock, backoff=backoff),
            clock=clock,
            patience_seconds=settings.canary_patience_seconds,
        )
        stack.push_async_callback(board.close)
        comparisons = Comparisons(predictor, manager, board, clock=clock)
        reporter = TrialReporter(registry, board, pause_seconds=settings.trial_report_seconds)
        memory = DeploymentMemory(store)
        source = DeploymentSource(
            registry,
            manager,
            board,
            memory,
            silence_seconds=settings.registry_silence_seconds,
        )
        signal = Signal()
        jobs = JobRepository(store)
        preannotation = Preannotation(
            annotation,
            manager,
            predictor,
            clock=clock,
            options=PreannotationOptions(
                page_size=settings.preannotation_page_size,
                slice_tokens=4 * background_tokens,
                peer_patience=settings.preannotation_patience_seconds,
                deploy_patience=settings.preannotation_deploy_wait_seconds,
            ),
        )
        runner = PreannotationRunner(
            jobs,
            preannotation,
            signal,
            clock=clock,
            ids=ids,
            lease_seconds=settings.preannotation_lease_seconds,
            at_once=settings.preannotation_jobs_at_once,
        )
        servicer = InferenceServicer(
            predictor=TrialPredictor(predictor, manager, board, comparisons),
            manager=manager,
            source=source,
            board=board,
            jobs=JobHandlers(
                jobs, signal, clock=clock, ids=ids, heartbeat=settings.watch_heartbeat_seconds
            ),
            exports=exports,
            execution_provider=providers[0],
        )
        open_inference = OpenInference(manager, predictor, registry)
        open_servicer = OpenInferenceServicer(open_inference, release=release())
        naming = ConfigNaming(manager, annotation)
        remembering = Remembering(manager, memory)
        presence = Presence(
            registry, ids.new(), computes_on, pause_seconds=settings.server_report_seconds
        )
        metrics = CollectorRegistry()
        metrics.register(ServingMetrics(manager, batcher))
        metrics.register(PreannotationMetrics(runner, preannotation.tally))
        metrics.register(TrialMetrics(board))
        yield Wiring(
            services=[
                GrpcService(
                    full_name=_SERVICE,
                    register=lambda server: (
                        inference_service_pb2_grpc.add_InferenceServiceServicer_to_server(
                            servicer, server
                        )
                    ),
                ),
                GrpcService(
                    full_name=_OPEN_SERVICE,
                    register=lambda server: (
                        open_inference_service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(
                            open_servicer, server
                        )
                    ),
                ),
            ],
            access=ACCESS,
            background=[
                BackgroundTask(name="deployment-source", run=source.run),
                BackgroundTask(name="deployment-memory", run=remembering.run),
                BackgroundTask(name="preannotation", run=runner.run),
                BackgroundTask(name="config-naming", run=naming.run),
                BackgroundTask(name="trial-comparisons", run=comparisons.run),
                BackgroundTask(name="trial-reports", run=reporter.run),
                BackgroundTask(name="server-presence", run=presence.run),
            ],
            on_drain=[remembering.flush, reporter.report_all, presence.leave],
            on_stopping=[open_inference.stopping],
            # No check of the store: predictions need none, and a balancer that follows health must
            # not take every server away while only the database is. Jobs answer UNAVAILABLE then.
            metrics=metrics,
        )


def _device_options(settings: InferenceSettings, providers: Sequence[str]) -> DeviceOptions:
    """Return how models use their device, and log what was chosen and what cannot be used."""
    setting = settings.execution_provider
    why = cuda_problem() if setting == "auto" and providers[0] == CPU else None
    _log.info("execution_provider", setting=setting, chosen=providers[0], why=why)
    problem = graphs_problem(providers) if settings.cuda_graphs else None
    if problem is not None:
        _log.warning(
            "execution_provider_fallback", wanted="CUDA graphs", why=problem, used=providers[0]
        )
    return DeviceOptions(
        cuda_graphs=settings.cuda_graphs and problem is None, engine_cache=settings.engine_cache
    )
