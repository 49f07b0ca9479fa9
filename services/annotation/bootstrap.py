"""Puts the annotation service together from its settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from services.annotation import access
from services.annotation.agreement.handler import Agreement
from services.annotation.agreement.servicer import AgreementServicer
from services.annotation.config import AnnotationSettings
from services.annotation.handlers.catalog import Catalog
from services.annotation.handlers.completions import Completions
from services.annotation.handlers.events import Events
from services.annotation.handlers.predictions import Predictions
from services.annotation.handlers.snapshots import Snapshots
from services.annotation.handlers.tasks import Tasks
from services.annotation.history.handler import History
from services.annotation.history.servicer import HistoryServicer
from services.annotation.labeling.handler import Labeling
from services.annotation.labeling.servicer import LabelingServicer
from services.annotation.labels.handler import Labels
from services.annotation.members.gate import Gate
from services.annotation.members.handler import Members
from services.annotation.members.servicer import MemberServicer
from services.annotation.members.tokens import AccessTokens
from services.annotation.publisher import Streams
from services.annotation.relay import Relay
from services.annotation.resources import Resources
from services.annotation.retention import Retention
from services.annotation.rules.handler import RuleSets
from services.annotation.rules.servicer import RuleServicer
from services.annotation.schema import COLLECTIONS
from services.annotation.selection.handler import Selector
from services.annotation.selection.scan import TaskScan
from services.annotation.servicer import AnnotationServicer, Handlers
from services.annotation.suggestions.handler import Suggestions
from services.annotation.suggestions.servicer import SuggestionServicer
from services.annotation.transfer.atomic import AtomicImports
from services.annotation.transfer.exporting import Exporter
from services.annotation.transfer.importing import Importer
from services.annotation.transfer.orders import ImportLimits
from services.common.clock import Clock, SystemClock
from services.common.ids import IdSource, SortableIds
from services.common.server import BackgroundTask, GrpcService, Wiring
from services.common.store.late import opened
from services.common.watch import Signal
from spanloop.annotation.v1 import agreement_service_pb2_grpc as agreement_grpc
from spanloop.annotation.v1 import annotation_service_pb2_grpc as annotation_grpc
from spanloop.annotation.v1 import history_service_pb2_grpc as history_grpc
from spanloop.annotation.v1 import labeling_service_pb2_grpc as labeling_grpc
from spanloop.annotation.v1 import member_service_pb2_grpc as member_grpc
from spanloop.annotation.v1 import rule_service_pb2_grpc as rule_grpc
from spanloop.annotation.v1 import suggestion_service_pb2_grpc as suggestion_grpc


@asynccontextmanager
async def build(
    settings: AnnotationSettings, *, clock: Clock | None = None, ids: IdSource | None = None
) -> AsyncIterator[Wiring]:
    """Open the store, yield what is to be served, close the store."""
    clock, ids = clock or SystemClock(), ids or SortableIds()
    await asyncio.to_thread(settings.service_dir.mkdir, parents=True, exist_ok=True)
    async with opened(settings.database, COLLECTIONS) as store:
        signal = Signal()
        streams = Streams(store)
        retention = Retention(store, streams, clock, settings.event_retention_days)
        relay = Relay(store, streams, signal, clock, settings.relay_interval_seconds)
        resources = Resources(store, relay, clock, ids)
        gate = Gate(store)
        labels = Labels(store, resources)
        catalog = Catalog(store, resources, labels)
        scan = TaskScan(store, labels)
        selector = Selector(store, catalog, scan)
        tasks = Tasks(store, resources, catalog, scan)
        completions = Completions(store, resources, catalog, tasks)
        predictions = Predictions(store, resources, catalog)
        snapshots = Snapshots(store, resources, catalog, selector)
        members = Members(store, resources, catalog)
        tokens = AccessTokens(store, clock, ids)
        atomic = AtomicImports(
            store,
            relay,
            clock,
            ids,
            interval=settings.relay_interval_seconds,
            stale=settings.import_stale_seconds,
        )
        limits = ImportLimits(
            max_line_bytes=settings.import_max_line_bytes,
            max_bytes=settings.import_max_bytes,
            batch_tasks=settings.import_batch_tasks,
            spool_dir=settings.service_dir,
        )
        handlers = Handlers(
            gate=gate,
            members=members,
            catalog=catalog,
            tasks=tasks,
            completions=completions,
            predictions=predictions,
            scan=scan,
            selector=selector,
            snapshots=snapshots,
            importer=Importer(store, resources, catalog, predictions, atomic, limits),
            exporter=Exporter(catalog, selector, predictions, snapshots),
            events=Events(
                catalog,
                streams,
                signal,
                poll_seconds=settings.watch_poll_seconds,
                heartbeat_seconds=settings.watch_heartbeat_seconds,
            ),
        )
        annotation = AnnotationServicer(handlers)
        history = HistoryServicer(History(store, resources, catalog, streams), completions, gate)
        labeling = LabelingServicer(Labeling(catalog), gate)
        member = MemberServicer(members, tokens, gate)
        agreement = AgreementServicer(Agreement(catalog, scan), gate)
        rules = RuleServicer(RuleSets(store, resources, catalog, scan, predictions), gate)
        suggestions = SuggestionServicer(Suggestions(store, catalog, scan), gate)
        yield Wiring(
            services=[
                GrpcService(
                    full_name=access.SERVICE,
                    register=partial(
                        annotation_grpc.add_AnnotationServiceServicer_to_server, annotation
                    ),
                ),
                GrpcService(
                    full_name=access.LABELING_SERVICE,
                    register=partial(labeling_grpc.add_LabelingServiceServicer_to_server, labeling),
                ),
                GrpcService(
                    full_name=access.MEMBER_SERVICE,
                    register=partial(member_grpc.add_MemberServiceServicer_to_server, member),
                ),
                GrpcService(
                    full_name=access.HISTORY_SERVICE,
                    register=partial(history_grpc.add_HistoryServiceServicer_to_server, history),
                ),
                GrpcService(
                    full_name=access.AGREEMENT_SERVICE,
                    register=partial(
                        agreement_grpc.add_AgreementServiceServicer_to_server, agreement
                    ),
                ),
                GrpcService(
                    full_name=access.RULE_SERVICE,
                    register=partial(rule_grpc.add_RuleServiceServicer_to_server, rules),
                ),
                GrpcService(
                    full_name=access.SUGGESTION_SERVICE,
                    register=partial(
                        suggestion_grpc.add_SuggestionServiceServicer_to_server, suggestions
                    ),
                ),
            ],
            access=access.ACCESS,
            users=tokens,
            background=[
                BackgroundTask(name="event-relay", run=relay.run),
                BackgroundTask(name="atomic-imports", run=atomic.run),
                BackgroundTask(name="event-retention", run=retention.run),
            ],
            on_drain=[relay.drain],
            checks=[store.ping],
        )
