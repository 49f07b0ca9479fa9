"""Puts the annotation service together from its settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.annotation.access import ACCESS, SERVICE
from services.annotation.config import AnnotationSettings
from services.annotation.handlers.catalog import Catalog
from services.annotation.handlers.completions import Completions
from services.annotation.handlers.events import Events
from services.annotation.handlers.exporting import Exporter
from services.annotation.handlers.importing import Importer, ImportLimits
from services.annotation.handlers.predictions import Predictions
from services.annotation.handlers.snapshots import Snapshots
from services.annotation.handlers.tasks import Tasks
from services.annotation.publisher import Streams
from services.annotation.relay import Relay
from services.annotation.resources import Resources
from services.annotation.schema import COLLECTIONS
from services.annotation.servicer import AnnotationServicer, Handlers
from services.common.clock import Clock, SystemClock
from services.common.ids import IdSource, SortableIds
from services.common.server import BackgroundTask, GrpcService, Wiring
from services.common.store.late import opened
from services.common.watch import Signal
from spanloop.annotation.v1 import annotation_service_pb2_grpc


@asynccontextmanager
async def build(
    settings: AnnotationSettings, *, clock: Clock | None = None, ids: IdSource | None = None
) -> AsyncIterator[Wiring]:
    """Open the store, yield what is to be served, close the store."""
    clock = clock or SystemClock()
    await asyncio.to_thread(settings.service_dir.mkdir, parents=True, exist_ok=True)
    async with opened(settings.database, COLLECTIONS) as store:
        signal = Signal()
        streams = Streams(store)
        relay = Relay(store, streams, signal, clock, settings.relay_interval_seconds)
        resources = Resources(store, relay, clock, ids or SortableIds())
        catalog = Catalog(store, resources)
        tasks = Tasks(store, resources, catalog)
        limits = ImportLimits(
            max_line_bytes=settings.import_max_line_bytes,
            max_bytes=settings.import_max_bytes,
            batch_tasks=settings.import_batch_tasks,
            spool_dir=settings.service_dir,
        )
        servicer = AnnotationServicer(
            Handlers(
                catalog=catalog,
                tasks=tasks,
                completions=Completions(store, resources, catalog, tasks),
                predictions=Predictions(store, resources, catalog),
                snapshots=Snapshots(store, resources, catalog),
                importer=Importer(resources, catalog, limits),
                exporter=Exporter(store, catalog),
                events=Events(
                    catalog,
                    streams,
                    signal,
                    poll_seconds=settings.watch_poll_seconds,
                    heartbeat_seconds=settings.watch_heartbeat_seconds,
                ),
            )
        )
        yield Wiring(
            services=[
                GrpcService(
                    full_name=SERVICE,
                    register=lambda server: (
                        annotation_service_pb2_grpc.add_AnnotationServiceServicer_to_server(
                            servicer, server
                        )
                    ),
                )
            ],
            access=ACCESS,
            background=[BackgroundTask(name="event-relay", run=relay.run)],
            on_drain=[relay.drain],
            checks=[store.ping],
        )
